#include "telemetry/latency_monitor.h"

#include <gtest/gtest.h>

namespace cinnabar::telemetry {
namespace {

TEST(LatencyMonitor, Threshold) {
  LatencyMonitor monitor;
  monitor.AddIfSlow("command", 1000, 5);
  EXPECT_TRUE(monitor.Latest().empty());
  monitor.SetThreshold(20);
  monitor.AddIfSlow("command", 19, 5);
  EXPECT_TRUE(monitor.Latest().empty());
  monitor.AddIfSlow("command", 20, 5);
  EXPECT_EQ(monitor.Latest().size(), 1u);
}

TEST(LatencyMonitor, KeepsTheWorstOfASecond) {
  LatencyMonitor monitor;
  monitor.Add("command", 30, 100);
  monitor.Add("command", 50, 100);
  monitor.Add("command", 40, 100);
  monitor.Add("command", 10, 101);
  const std::vector<LatencySample> expected{{100, 50}, {101, 10}};
  EXPECT_EQ(monitor.History("command"), expected);
  const auto latest = monitor.Latest();
  ASSERT_EQ(latest.size(), 1u);
  EXPECT_EQ(latest[0].event, "command");
  EXPECT_EQ(latest[0].latest, (LatencySample{101, 10}));
  EXPECT_EQ(latest[0].all_time_max, 50);
}

TEST(LatencyMonitor, KeepsTheLast160Samples) {
  LatencyMonitor monitor;
  for (int i = 0; i < 500; ++i) monitor.Add("fork", i + 1, 1000 + i);
  const auto history = monitor.History("fork");
  ASSERT_EQ(history.size(), 160u);
  EXPECT_EQ(history.front(), (LatencySample{1340, 341}));
  EXPECT_EQ(history.back(), (LatencySample{1499, 500}));
}

TEST(LatencyMonitor, Resets) {
  LatencyMonitor monitor;
  monitor.Add("a", 1, 1);
  monitor.Add("b", 1, 1);
  monitor.Add("c", 1, 1);
  EXPECT_EQ(monitor.Reset("nothing"), 0u);
  EXPECT_EQ(monitor.Reset("b"), 1u);
  EXPECT_TRUE(monitor.History("b").empty());
  EXPECT_EQ(monitor.Reset(), 2u);
  EXPECT_TRUE(monitor.Latest().empty());
}

TEST(LatencyMonitor, Graph) {
  LatencyMonitor monitor;
  EXPECT_EQ(monitor.Graph("command", 0), std::nullopt);
  monitor.Add("command", 101, 85);
  monitor.Add("command", 200, 86);
  monitor.Add("command", 300, 88);
  monitor.Add("command", 400, 92);
  monitor.Add("command", 500, 94);
  EXPECT_EQ(*monitor.Graph("command", 100), "command - high 500 ms, low 101 ms (all time high 500 ms)\n" +
                                                std::string(80, '-') +
                                                "\n"
                                                "    #\n"
                                                "   #|\n"
                                                "  #||\n"
                                                "_#|||\n"
                                                "\n"
                                                "11186\n"
                                                "542ss\n"
                                                "sss\n");
}

TEST(LatencyMonitor, GraphOfOneSampleAndOfMany) {
  LatencyMonitor monitor;
  monitor.Add("x", 10, 0);
  EXPECT_NE(monitor.Graph("x", 90'000)->find("#\n|\n|\n|\n\n1\nd\n"), std::string::npos);
  for (int i = 1; i < 200; ++i) monitor.Add("x", i, i);
  EXPECT_NE(monitor.Graph("x", 200)->find("high 199 ms, low 120 ms"), std::string::npos);
}

TEST(LatencyMonitor, DoctorSpeaksInEveryState) {
  LatencyMonitor monitor;
  EXPECT_NE(monitor.Doctor().find("latency-monitor-threshold"), std::string::npos);
  monitor.SetThreshold(10);
  EXPECT_NE(monitor.Doctor().find("No delay"), std::string::npos);
  monitor.Add("command", 100, 1);
  monitor.Add("command", 200, 11);
  monitor.Add("strange-event", 10, 5);
  const std::string report = monitor.Doctor();
  EXPECT_NE(report.find("1. command: 2 delays (mean 150 ms, mean deviation 50 ms, every 10.0 s)"),
            std::string::npos)
      << report;
  EXPECT_NE(report.find("SLOWLOG"), std::string::npos);
  EXPECT_NE(report.find("2. strange-event"), std::string::npos);
}

}  // namespace
}  // namespace cinnabar::telemetry
