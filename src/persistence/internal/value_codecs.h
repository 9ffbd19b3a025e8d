// The codec of each type of collection. Writers take the form that TypeFor chose; readers leave the fault in
// the reader.
#pragma once

#include "persistence/rdb_value.h"

namespace cinnabar::persistence::internal {

void WriteList(RdbWriter& out, types::Holder& list);
void ReadList(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value);

void WriteSet(RdbWriter& out, RdbType type, types::Holder& set);
void ReadSet(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value);

void WriteSortedSet(RdbWriter& out, types::Holder& set);
void ReadSortedSet(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value);

RdbType HashTypeFor(types::Holder& hash);
void WriteHash(RdbWriter& out, RdbType type, types::Holder& hash);
void ReadHash(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value);

void WriteStream(RdbWriter& out, RdbType type, types::Holder& stream);
void ReadStream(RdbReader& in, RdbType type, RdbValue& value);

}  // namespace cinnabar::persistence::internal
