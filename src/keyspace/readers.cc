#include "keyspace/readers.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace cinnabar::keyspace {
namespace {

// So many readers beyond the first are compared one by one.
constexpr size_t kInARowMax = 8;

}  // namespace

size_t Readers::PlacesFor(size_t readers) {
  if (readers <= 1) return 0;
  const size_t others = readers - 1;
  return std::bit_ceil(others <= kInARowMax ? others : others + others / 2);
}

// Where one of the others stands, or the free place where it would. The end: there is none.
uint64_t* Readers::Note::PlaceOf(uint64_t reader) const {
  const size_t count = place_count();
  uint64_t* const all = places();
  if (count <= kInARowMax)
    return std::find_if(all, all + count, [=](uint64_t each) { return each == reader || each == 0; });
  size_t place = reader * 0x9e3779b97f4a7c15 >> (64 - std::countr_zero(count));
  while (all[place] != reader && all[place] != 0) place = (place + 1) & (count - 1);
  return all + place;
}

// For so many readers, of whom none has come yet.
Readers::Note* Readers::Make(std::string_view key, size_t readers) {
  const size_t places = PlacesFor(readers);
  const size_t key_words = (key.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t);
  const size_t key_room = places == 0 ? key.size() : key_words * sizeof(uint64_t);
  Note* note = static_cast<Note*>(std::malloc(sizeof(Note) + key_room + places * sizeof(uint64_t)));
  CHECK(note != nullptr);
  *note = {
      .key_bytes = static_cast<uint32_t>(key.size()), .readers = static_cast<uint32_t>(readers), .first = 0};
  std::memcpy(reinterpret_cast<char*>(note + 1), key.data(), key.size());
  std::fill_n(note->places(), places, 0);
  return note;
}

// A copy that counts one reader more, and has a place for it.
Readers::Note* Readers::Grown(const Note& note) {
  Note* grown = Make(note.key(), note.readers + 1);
  grown->first = note.first;
  const uint64_t* const all = note.places();
  for (size_t i = 0; i < note.place_count(); ++i) {
    if (all[i] != 0) *grown->PlaceOf(all[i]) = all[i];
  }
  return grown;
}

Readers::~Readers() {
  for (size_t i = 0; i < notes_.bucket_count(); ++i) {
    notes_.VisitBucket(i, [](TableSlot& slot) { std::free(slot.entry<Note>()); });
  }
}

Readers::Added Readers::Add(const Keyspace& keyspace, const Key& key, uint64_t reader) {
  TableSlot* slot = Find(key);
  if (slot == nullptr) {
    Note* note = Make(key.bytes, 1);
    note->first = reader;
    notes_.Insert(key.hash, note, false, [&](const Note& each) { return keyspace.HashOf(each.key()); });
    ++items_;
    return Added::kKey;
  }
  Note* note = slot->entry<Note>();
  if (note->first == reader) return Added::kNothing;
  uint64_t* const place = note->PlaceOf(reader);
  if (place != note->places() + note->place_count() && *place == reader) return Added::kNothing;
  if (PlacesFor(note->readers + 1) == note->place_count()) {
    *place = reader;
    ++note->readers;
  } else {
    Note* grown = Grown(*note);
    *grown->PlaceOf(reader) = reader;
    std::free(note);
    slot->set_pointer(grown);
  }
  ++items_;
  return Added::kReader;
}

std::vector<uint64_t> Readers::Take(const Key& key) {
  std::vector<uint64_t> readers;
  TableSlot* slot = Find(key);
  if (slot == nullptr) return readers;
  Note* note = notes_.Erase(key.hash, slot);
  readers.reserve(note->readers);
  readers.push_back(note->first);
  const uint64_t* const all = note->places();
  for (size_t i = 0; i < note->place_count(); ++i) {
    if (all[i] != 0) readers.push_back(all[i]);
  }
  items_ -= note->readers;
  std::free(note);
  return readers;
}

std::string Readers::Sample(Random& random) const {
  const TableSlot* slot = notes_.Sample([&](uint64_t n) { return random.Uniform(n); });
  return std::string(slot->entry<const Note>()->key());
}

}  // namespace cinnabar::keyspace
