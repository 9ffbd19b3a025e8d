# Read by a unit's copy of the Sentinel or Cluster suite, behind instances.tcl (see instances.py).
#
# These suites say `TIME> NAME: OK`. Here each test also leaves the line that ./runtest would print, so that one reader
# of the output and one list of skips serve both. Addresses in names become ADDRESS, numbers of instances #N, epochs N:
# who is elected is chance.

fconfigure stdout -buffering line

set channel [open [file join [file dirname [file normalize [info script]]] skipfile]]
set ::skipped_tests [split [string trim [read $channel]] "\n"]
close $channel

rename test suite_test

proc test {name code} {
    regsub -all {\d+\.\d+\.\d+\.\d+:\d+} $name ADDRESS label
    regsub -all {#\d+} $label {#N} label
    regsub -all {epoch \d+} $label {epoch N} label
    if {$label in $::skipped_tests} {
        puts "\[skip\]: $label"
        return
    }
    set started [clock milliseconds]
    set status [catch {uplevel 1 [list suite_test $name $code]} result options]
    if {$status == 0} {
        puts "\[ok\]: $label ([expr {[clock milliseconds] - $started}] ms)"
        return
    }
    # A failed check asks for the next unit with `continue`. Any other error goes up to the suite, which has not ended
    # the line yet.
    puts [expr {$status == 1 ? "\n\[exception\]: $label" : "\[err\]: $label"}]
    dict incr options -level
    return -options $options $result
}
