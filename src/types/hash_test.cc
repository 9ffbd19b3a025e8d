// A model test: random operations on a hash against a std::map, packed, large, and across the change of form,
// with fields that expire by a clock that the test moves.
#include "types/hash.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace cinnabar::types {
namespace {

struct ModelField {
  std::string value;
  Millis expiry = kNeverExpires;
};

class HashModel {
 public:
  HashModel(uint64_t seed, size_t names, PackLimits limits)
      : random_(seed), names_(names), limits_(limits), holder_(Hash::kEmptyPacked) {}

  void Step() {
    const std::string name = AnyName();
    switch (random_.Uniform(14)) {
      case 0:
        now_ += static_cast<Millis>(random_.Uniform(40));
        break;
      case 1:
      case 2:
        Erase(name);
        break;
      case 3:
        if (timed_) Expire(name);
        break;
      case 4:
        if (timed_) Persist(name);
        break;
      case 5:
        TakeExpired();
        break;
      case 6:
        Clone();
        break;
      case 7:
      case 8:
        Overwrite(name);
        break;
      default:
        Set(name);
    }
    CheckField(name);
  }

  void CheckAll() {
    Hash hash(holder_, now_);
    std::map<std::string, ModelField> seen;
    hash.ForEach([&](const Hash::Element& field, const Hash::Element& value, Millis expiry) {
      ASSERT_TRUE(seen.emplace(Text(field), ModelField{Text(value), expiry}).second);
    });
    ASSERT_EQ(hash.size(), Live());
    ASSERT_EQ(seen.size(), Live());
    for (auto& [name, field] : seen) {
      ASSERT_EQ(field.value, model_[name].value);
      ASSERT_EQ(field.expiry, model_[name].expiry);
    }
    ASSERT_EQ(hash.empty(), model_.empty());
    CheckNextExpiry(hash);
    CheckScan(hash);
    if (hash.size() > 0) CheckSamples(hash);
  }

  void AllowExpiry() { timed_ = true; }
  bool packed() const { return holder_.packed(); }
  std::string_view encoding() const { return holder_.packed() ? "listpack" : holder_.object()->encoding(); }

 private:
  std::string AnyName() {
    const uint64_t number = random_.Uniform(names_);
    return number % 3 == 0 ? std::to_string(number) : "field:" + std::to_string(number);
  }
  // Numbers, short and (rarely) long texts.
  std::string AnyValue() {
    const uint64_t kind = random_.Uniform(40);
    if (kind < 10) return std::to_string(static_cast<int64_t>(random_.Next() >> random_.Uniform(64)));
    if (kind == 11 && !holder_.packed()) return std::string(200 + random_.Uniform(200), 'x');
    if (kind == 12 && !holder_.packed()) return std::string(65000 + random_.Uniform(2000), 'y');
    return std::string(random_.Uniform(20), static_cast<char>('a' + random_.Uniform(26)));
  }
  static std::string Text(const Hash::Element& element) {
    listpack::Digits digits;
    return std::string(element.Text(digits));
  }
  bool Visible(const std::string& name) const {
    auto found = model_.find(name);
    return found != model_.end() && found->second.expiry > now_;
  }
  size_t Live() const {
    size_t live = 0;
    for (auto& [name, field] : model_) live += field.expiry > now_;
    return live;
  }

  void Set(const std::string& name) {
    const std::string value = AnyValue();
    const bool created = Hash(holder_, now_).Set(name, value, limits_);
    ASSERT_EQ(created, !Visible(name));
    model_[name] = {value, kNeverExpires};
  }
  void Overwrite(const std::string& name) {
    Hash hash(holder_, now_);
    const Hash::Spot spot = hash.Find(name);
    ASSERT_EQ(spot.found, Visible(name));
    if (!spot.found) return;
    const std::string value = AnyValue();
    hash.Store(spot, name, value, limits_, Hash::Life::kKeep);
    model_[name].value = value;
  }
  void Erase(const std::string& name) {
    ASSERT_EQ(Hash(holder_, now_).Erase(name), Visible(name));
    if (Visible(name)) model_.erase(name);
  }
  void Expire(const std::string& name) {
    Hash hash(holder_, now_);
    const Hash::Spot spot = hash.Find(name);
    if (!spot.found) return;
    const Millis at = now_ + 1 + static_cast<Millis>(random_.Uniform(200));
    hash.SetExpiry(spot, name, at);
    model_[name].expiry = at;
  }
  void Persist(const std::string& name) {
    Hash hash(holder_, now_);
    const Hash::Spot spot = hash.Find(name);
    if (!spot.found) return;
    hash.SetExpiry(spot, name, kNeverExpires);
    model_[name].expiry = kNeverExpires;
  }
  void TakeExpired() {
    const size_t limit = 1 + random_.Uniform(5);
    const size_t expired = model_.size() - Live();
    const auto names = Hash(holder_, now_).TakeExpired(limit);
    ASSERT_EQ(names.size(), std::min(limit, expired));
    for (const std::string& name : names) {
      ASSERT_TRUE(model_.contains(name) && !Visible(name)) << name;
      model_.erase(name);
    }
  }
  void Clone() {
    if (holder_.packed()) return;
    auto copy = holder_.object()->Clone();
    ASSERT_EQ(copy->memory(0) > 0, true);
    ASSERT_EQ(copy->encoding(), holder_.object()->encoding());
    holder_.BecomeObject(std::move(copy));
  }

  void CheckField(const std::string& name) {
    const Hash::Spot spot = Hash(holder_, now_).Find(name);
    ASSERT_EQ(spot.found, Visible(name));
    if (!spot.found) return;
    ASSERT_EQ(Text(spot.value), model_[name].value);
    ASSERT_EQ(spot.expiry, model_[name].expiry);
  }
  void CheckNextExpiry(const Hash& hash) {
    Millis earliest = kNeverExpires;
    for (auto& [name, field] : model_) earliest = std::min(earliest, field.expiry);
    ASSERT_LE(hash.next_expiry(), earliest);
    if (earliest == kNeverExpires && !holder_.packed()) {
      ASSERT_EQ(hash.next_expiry(), kNeverExpires);
    }
  }
  void CheckScan(const Hash& hash) {
    std::set<std::string> seen;
    uint64_t cursor = 0;
    do {
      cursor = hash.Scan(cursor, [&](const Hash::Element& field, const Hash::Element&, Millis) {
        seen.insert(Text(field));
      });
    } while (cursor != 0);
    ASSERT_EQ(seen.size(), Live());
  }
  void CheckSamples(const Hash& hash) {
    ASSERT_TRUE(Visible(Text(hash.Sample(random_).field)));
    const size_t count = random_.Uniform(hash.size() + 1);
    std::set<std::string> seen;
    for (const Hash::Pair& pair : hash.SampleDistinct(random_, count)) {
      const std::string name = Text(pair.field);
      ASSERT_TRUE(Visible(name));
      ASSERT_EQ(Text(pair.value), model_[name].value);
      ASSERT_TRUE(seen.insert(name).second);
    }
    ASSERT_EQ(seen.size(), count);
    uint64_t drawn = 0;
    hash.SampleRepeatedly(random_, 7, [&](const Hash::Pair& pair) {
      drawn += Visible(Text(pair.field));
      return true;
    });
    ASSERT_EQ(drawn, 7u);
  }

  Random random_;
  const size_t names_;
  const PackLimits limits_;
  OwnHolder holder_;
  std::map<std::string, ModelField> model_;
  Millis now_ = 1000;
  bool timed_ = false;
};

uint64_t Seed() {
  const char* given = std::getenv("HASH_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("seed %llu; again: HASH_TEST_SEED=%llu types_test --gtest_filter='Hash*'\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
  return seed;
}

void Play(HashModel& model, int steps, int check_every = 50) {
  for (int i = 0; i < steps; ++i) {
    ASSERT_NO_FATAL_FAILURE(model.Step());
    if (i % check_every == 0) {
      ASSERT_NO_FATAL_FAILURE(model.CheckAll());
    }
  }
  model.CheckAll();
}

TEST(HashTest, PackedStaysPacked) {
  HashModel model(Seed(), 40, {});
  ASSERT_NO_FATAL_FAILURE(Play(model, 6000));
  EXPECT_TRUE(model.packed());
}

TEST(HashTest, GrowsOutOfThePackedForm) {
  HashModel model(Seed(), 60, {.entries = 16, .value_bytes = 64});
  ASSERT_NO_FATAL_FAILURE(Play(model, 6000));
  EXPECT_EQ(model.encoding(), "hashtable");
}

TEST(HashTest, FieldsExpire) {
  const uint64_t seed = Seed();
  for (size_t names : {6, 100, 3000}) {
    HashModel model(seed, names, {});
    model.AllowExpiry();
    ASSERT_NO_FATAL_FAILURE(Play(model, 20000, names > 1000 ? 1000 : 50));
  }
}

TEST(HashTest, LimitsDecideTheForm) {
  const PackLimits limits{.entries = 2, .value_bytes = 4};
  auto form = [&](std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
    OwnHolder holder(Hash::kEmptyPacked);
    for (auto [field, value] : pairs) Hash(holder).Set(field, value, limits);
    return holder.packed();
  };
  EXPECT_TRUE(form({{"a", "1234"}, {"abcd", ""}, {"a", "x"}}));
  EXPECT_FALSE(form({{"a", "12345"}}));
  EXPECT_FALSE(form({{"abcde", ""}}));
  EXPECT_FALSE(form({{"a", ""}, {"b", ""}, {"c", ""}}));
}

TEST(HashTest, ExpiryNeedsALargeFormThatIsCalledSmall) {
  const PackLimits limits{.entries = 3, .value_bytes = 4};
  OwnHolder holder(Hash::kEmptyPacked);
  Hash hash(holder, 100);
  hash.Set("a", "1", limits);
  hash.Set("b", "2", limits);
  hash.SetExpiry(hash.Find("a"), "a", 200);
  ASSERT_FALSE(holder.packed());
  EXPECT_EQ(holder.object()->encoding(), "listpackex");
  EXPECT_EQ(hash.next_expiry(), 200);
  hash.Set("c", "3", limits);
  EXPECT_EQ(holder.object()->encoding(), "listpackex");
  hash.Set("d", "4", limits);
  EXPECT_EQ(holder.object()->encoding(), "hashtable");
}

TEST(HashTest, TimersOfChangedFieldsDoNotPileUp) {
  LargeHash hash;
  for (int i = 0; i < 10; ++i) {
    const std::string name = std::to_string(i);
    hash.Insert(name, hash.HashOf(name), "value");
  }
  const size_t before = hash.memory(0);
  for (Millis at = 1000; at < 100000; ++at) {
    const std::string name = std::to_string(at % 10);
    const uint64_t hashed = hash.HashOf(name);
    hash.SetExpiry(*hash.Find(name, hashed), hashed, at);
  }
  EXPECT_LT(hash.memory(0), before + 8000);
  EXPECT_EQ(hash.TakeExpired(99989, 100).size(), 0u);
  EXPECT_EQ(hash.TakeExpired(99994, 100).size(), 5u);
  EXPECT_EQ(hash.CountExpired(200000), 5u);
}

// Lengths around those where the head of a field changes its size.
TEST(HashTest, FieldsOfAllLengths) {
  LargeHash hash;
  std::map<std::string, std::pair<std::string, Millis>> model;
  Random random(Seed());
  for (size_t length : {0, 1, 125, 126, 127, 252, 253, 254, 32767, 32768, 65535, 65536, 70000}) {
    const std::string name(length, 'n');
    hash.Insert(name, hash.HashOf(name), "");
    model[name] = {"", kNeverExpires};
  }
  for (int step = 0; step < 3000; ++step) {
    auto it = std::next(model.begin(), static_cast<long>(random.Uniform(model.size())));
    const uint64_t hashed = hash.HashOf(it->first);
    TableSlot& slot = *hash.Find(it->first, hashed);
    const Millis at = random.OneIn(2) ? kNeverExpires : static_cast<Millis>(random.Uniform(1000));
    if (random.OneIn(2)) {
      hash.SetExpiry(slot, hashed, at);
    } else {
      constexpr size_t kLengths[] = {0, 1, 252, 253, 300, 65535, 65536};
      const std::string value(kLengths[random.Uniform(std::size(kLengths))], static_cast<char>(step));
      hash.Replace(slot, hashed, value, at);
      it->second.first = value;
    }
    it->second.second = at;
    const HashField& field = LargeHash::FieldOf(*hash.Find(it->first, hashed));
    ASSERT_EQ(field.value(), it->second.first);
    ASSERT_EQ(field.expiry(), at);
    ASSERT_EQ(field.timed(), at != kNeverExpires);
  }
}

}  // namespace
}  // namespace cinnabar::types
