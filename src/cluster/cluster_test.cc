// The cluster machine in small worlds: what each rule does. What happens when everything goes wrong at once
// is tested in src/simulator.
#include "cluster/cluster.h"

#include "cluster/world_for_test.h"

namespace cinnabar::cluster {
namespace {

const Node* Seen(Host& by, Host& node) {
  return by.machine().Find(node.id());
}

TEST(Cluster, NodesThatWereMetKnowEachOtherByGossip) {
  World world(5);
  ASSERT_TRUE(world[0].machine().Meet("10.0.0.2", 6379, 16379));
  ASSERT_TRUE(world[1].machine().Meet("10.0.0.3", 6379, 16379));
  ASSERT_TRUE(world[4].machine().Meet("10.0.0.3", 6379, 16379));
  ASSERT_TRUE(world[4].machine().Meet("10.0.0.4", 6379, 16379));
  EXPECT_TRUE(world.Until([&] { return world.EverybodyKnows(5); }));
  EXPECT_EQ(world[3].machine().myself().ip, "10.0.0.4");
  EXPECT_FALSE(world[0].machine().healthy());
}

TEST(Cluster, WhoWasMetIsAskedUntilItComes) {
  World world(2);
  world[1].deaf = true;
  ASSERT_TRUE(world[0].machine().Meet("10.0.0.2", 6379, 16379));
  world.Run(10'000);
  ASSERT_NE(Seen(world[0], world[1]), nullptr);
  ASSERT_EQ(Seen(world[1], world[0]), nullptr);
  world[1].deaf = false;
  EXPECT_TRUE(world.Until([&] { return Seen(world[1], world[0]) != nullptr; }));
  const uint64_t meets = world[0].machine().counts().sent[2];
  world.Run(5000);
  EXPECT_EQ(world[0].machine().counts().sent[2], meets);
}

TEST(Cluster, AHandshakeThatIsNotHeardIsBegunAnew) {
  World world(2);
  ASSERT_TRUE(world[0].machine().Meet("10.0.0.2", 6379, 16379));
  // The other one hears the MEET, asks back, and is answered.
  world[0].hears_no_answers = true;
  world.Run(5000);
  EXPECT_EQ(Seen(world[0], world[1]), nullptr);
  ASSERT_NE(Seen(world[1], world[0]), nullptr);
  world[0].hears_no_answers = false;
  EXPECT_TRUE(world.Until([&] { return Seen(world[0], world[1]) != nullptr; }));
}

TEST(Cluster, AConnectionThatIsNotAnsweredIsMadeAnew) {
  World world(2);
  world.Create(1);
  const LinkId before = Seen(world[0], world[1])->out.id;
  world[0].hears_no_answers = true;
  EXPECT_TRUE(world.Until([&] { return Seen(world[0], world[1])->out.id > before; }));
  EXPECT_FALSE(Seen(world[0], world[1])->Is(kMaybeFailedFlag));
}

TEST(Cluster, AStrangerThatOnlyPingsIsNotLetIn) {
  World world(2);
  // The second one believes that it knows the first one.
  world[1].file = world[1].machine().FileText();
  const std::string line = world[0].id() + " 10.0.0.1:6379@16379 master - 0 0 0 connected\n";
  world[1].file.insert(0, line);
  world[1].Restart();
  world.Run(5000);
  EXPECT_GT(world[0].machine().counts().received[0], 3U);
  EXPECT_EQ(world[0].machine().nodes().size(), 1U);
}

TEST(Cluster, BadAddressesAreRefusedAndOneHandshakeIsEnough) {
  World world(1);
  Cluster& machine = world[0].machine();
  EXPECT_EQ(machine.Meet("example", 6379, 16379).error().message,
            "ERR Invalid node address specified: example:6379");
  EXPECT_FALSE(machine.Meet("10.0.0.2", 0, 16379));
  EXPECT_FALSE(machine.Meet("10.0.0.2", 6379, 65536));
  EXPECT_TRUE(machine.Meet("10.0.0.2", 6379, 16379));
  EXPECT_TRUE(machine.Meet("10.0.0.2", 6379, 16379));
  EXPECT_EQ(machine.nodes().size(), 2U);
  world.Run(70'000);
  EXPECT_EQ(machine.nodes().size(), 1U);  // nobody answered
}

TEST(Cluster, ReplicaTakesOverADeadPrimary) {
  World world(6);
  world.Create(3);
  EXPECT_EQ(world[3].follows, "10.0.0.1:6379");
  world.Stop(0);
  ASSERT_TRUE(world.Until([&] { return world.Settled() && world[3].machine().myself().is_primary(); }));
  EXPECT_EQ(world[3].follows, "");
  EXPECT_EQ(Seen(world[1], world[3])->slot_count, kSlots / 3);
  EXPECT_EQ(world[3].machine().myself().config_epoch, world[3].machine().current_epoch());
  EXPECT_GT(world[3].machine().current_epoch(), 3U);
  EXPECT_EQ(world[1].machine().last_vote_epoch(), world[2].machine().last_vote_epoch());

  // The old one is told what it has missed, and follows.
  world[0].Restart();
  ASSERT_TRUE(world.Until([&] { return world[0].follows == "10.0.0.4:6379"; }));
  ASSERT_TRUE(world.Until([&] { return !Seen(world[1], world[0])->failed(); }));
  EXPECT_TRUE(world.Until([&] { return Seen(world[2], world[0])->is_replica(); }));
}

TEST(Cluster, APrimaryThatLostItsNameIsReplaced) {
  World world(6);
  world.Create(3);
  const std::string old = world[0].id();
  world.Stop(0);
  world[0].file.clear();
  world[0].Make();
  ASSERT_NE(world[0].id(), old);
  ASSERT_TRUE(world.Until([&] { return world[3].machine().myself().is_primary(); }));
  ASSERT_TRUE(world.Until([&] { return world[1].machine().healthy() && world[2].machine().healthy(); }));
  EXPECT_TRUE(world[1].machine().Find(old)->failed());
  EXPECT_EQ(world[1].machine().Owner(0)->id.str(), world[3].id());
}

TEST(Cluster, WhoHasNoAddressDoesNotMakeAMajority) {
  World world(3);
  world.Create(3);
  world.Stop(0);
  world[0].file.clear();
  world[0].Make();
  world.Stop(1);
  EXPECT_TRUE(world.Until([&] { return !world[2].machine().healthy(); }));
  world.Run(20'000);
  EXPECT_FALSE(world[2].machine().healthy());
}

TEST(Cluster, TheReplicaWithMoreDataIsElected) {
  World world(9);
  world.Create(3);
  world[3].view.offset = 100;
  world[6].view.offset = 200;
  world.Run(3000);
  world.Stop(0);
  ASSERT_TRUE(world.Until([&] { return world[6].machine().myself().is_primary(); }));
  EXPECT_TRUE(world[3].machine().myself().is_replica());
  EXPECT_TRUE(world.Until([&] { return world[3].follows == "10.0.0.7:6379"; }));
}

TEST(Cluster, VotesAreCountedAmongThoseWhoCouldVoteWhenTheyWereAsked) {
  World world(6);
  world.Create(5);
  world.Stop(0);
  ASSERT_TRUE(world.Until([&] { return world[5].Logged("Start of election delayed"); }));
  world.Stop(3);
  world.Stop(4);
  ASSERT_TRUE(world.Until([&] { return world[5].Logged("Starting a failover election"); }));
  world.Run(200);
  ASSERT_TRUE(world[5].machine().myself().is_replica()) << "two votes of five";
  // Now there are three primaries, and it has the votes of two.
  Cluster& taker = world[1].machine();
  for (int slot = kSlots * 3 / 5; slot < kSlots; ++slot) {
    ASSERT_TRUE(taker.Import(slot, taker.Owner(slot)->id.str()));
    ASSERT_TRUE(taker.Assign(slot, world[1].id()));
  }
  world.Run(1500);
  const Cluster& candidate = world[5].machine();
  EXPECT_EQ(candidate.Owner(kSlots - 1)->id.str(), world[1].id());
  EXPECT_TRUE(candidate.myself().is_replica());
  // In another election they are enough.
  EXPECT_TRUE(world.Until([&] { return candidate.myself().is_primary(); }));
}

TEST(Cluster, AnEpochTakenAloneDoesNotBeatTheSameOneOfAnElection) {
  World world(4);
  world.Create(3);
  // It takes a slot, and with it an epoch, which it cannot save: nothing that it says leaves, so it is
  // replaced.
  world[0].disk_full = true;
  Cluster& old = world[0].machine();
  const int moved = kSlots - 1;
  EXPECT_FALSE(old.Import(moved, old.Owner(moved)->id.str()));
  EXPECT_FALSE(old.Assign(moved, world[0].id()));
  const Epoch alone = old.myself().config_epoch;
  ASSERT_TRUE(world.Until([&] { return world[3].machine().myself().is_primary(); }));
  EXPECT_EQ(world[3].machine().myself().config_epoch, alone);
  world.Run(1000);
  EXPECT_EQ(old.Owner(0)->id.str(), world[3].id());
  world[0].disk_full = false;
  world.Run(20'000);
  for (int number = 0; number < 4; ++number)
    EXPECT_EQ(world[number].machine().Owner(0)->id.str(), world[3].id()) << number;
}

TEST(Cluster, WhoMayNotIsNotElected) {
  World world(10);
  world.Create(5);
  world[5].view.silence = 1'000'000;  // its data is too old
  world[6].machine().options().replica_no_failover = true;
  world[6].machine().OptionsChanged();
  world.Run(3000);
  world.Stop(0);
  world.Stop(1);
  world.Run(20'000);
  EXPECT_TRUE(world[5].machine().myself().is_replica());
  EXPECT_TRUE(world[5].Logged("Disconnected from master for longer than allowed"));
  EXPECT_TRUE(world[6].machine().myself().is_replica());
  EXPECT_FALSE(world[2].machine().healthy());
  world[5].view.silence = 0;
  EXPECT_TRUE(world.Until([&] { return world[5].machine().myself().is_primary(); }));
}

TEST(Cluster, AMinorityStopsAndComesBackAfterADelay) {
  World world(3);
  world.Create(3);
  world.Stop(1);
  world.Stop(2);
  ASSERT_TRUE(world.Until([&] { return !world[0].machine().healthy(); }));
  world[1].Make();
  world[2].Make();
  world.Run(1000);
  EXPECT_FALSE(world[0].machine().healthy());
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
}

TEST(Cluster, ANodeWithoutSlotsIsNoMinority) {
  World world(1, {.node_timeout = 15'000});
  world.Run(6000);
  EXPECT_FALSE(world[0].machine().healthy());
  SlotSet slots;
  for (int slot = 0; slot < kSlots; ++slot) slots.Add(slot);
  ASSERT_TRUE(world[0].machine().AddSlots(slots));
  world.Run(300);
  EXPECT_TRUE(world[0].machine().healthy());
}

TEST(Cluster, WhoStartsAloneTakesNoWrites) {
  World world(3, {.node_timeout = 15'000});
  world.Create(3);
  world.Stop(1);
  world.Stop(2);
  world[0].Restart();
  for (int second = 0; second < 20; ++second) {
    world.Run(1000);
    EXPECT_FALSE(world[0].machine().healthy()) << second;
  }
  world[1].Make();
  world[2].Make();
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
}

TEST(Cluster, WhoFollowsAnotherTellsEverybodyAtOnce) {
  World world(4);
  world.Create(3);
  ASSERT_TRUE(world[3].machine().Replicate(world[1].id()));
  world.Deliver();
  for (int number = 0; number < 3; ++number) {
    Cluster& machine = world[number].machine();
    EXPECT_EQ(machine.Find(world[3].id())->primary, machine.Find(world[1].id())) << number;
  }
}

TEST(Cluster, ATimeoutThatIsShorterThanATickIsNoSleep) {
  World world(3, {.node_timeout = 1});
  world.Create(3);
  const auto well = [&] {
    return std::ranges::all_of(world.hosts, [](const auto& host) { return host->machine().healthy(); });
  };
  EXPECT_TRUE(world.Until(well));
  for (int second = 0; second < 10; ++second) {
    world.Run(1000);
    EXPECT_TRUE(well());
  }
}

TEST(Cluster, WhoSleptStopsBeforeItAsks) {
  World world(3);
  world.Create(3);
  world.clock.AdvanceMillis(10'000);
  world[0].machine().OnTick();
  EXPECT_FALSE(world[0].machine().healthy());
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
}

TEST(Cluster, OneVoteAnEpochAlsoAfterARestart) {
  World world(6);
  world.Create(3);
  world.Stop(0);
  ASSERT_TRUE(world.Until([&] { return world[3].machine().myself().is_primary(); }));
  const Epoch voted = world[1].machine().last_vote_epoch();
  EXPECT_GT(voted, 0U);
  world[1].Restart();
  EXPECT_EQ(world[1].machine().last_vote_epoch(), voted);
}

TEST(Cluster, NothingLeavesThatCannotBeSaved) {
  World world(6);
  world.Create(3);
  world[1].disk_full = true;
  world[2].disk_full = true;
  world.Stop(0);
  world.Run(20'000);
  // No vote has left: nobody was elected.
  EXPECT_TRUE(world[3].machine().myself().is_replica());
  EXPECT_FALSE(world[1].machine().healthy());
  world[1].disk_full = false;
  world[2].disk_full = false;
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
  EXPECT_TRUE(world[3].machine().myself().is_primary());

  world[2].disk_full = true;
  const Status saved = world[2].machine().DeleteSlots(world[2].machine().myself().slots);
  EXPECT_EQ(saved.error().message, "ERR error saving the cluster node config: No space left on device");
}

TEST(Cluster, OrderlyFailoverWaitsForTheStream) {
  World world(6);
  world.Create(3);
  world[0].view.offset = 500;
  world[3].view.offset = 400;
  world.Run(1000);
  EXPECT_FALSE(world[0].machine().Failover(Cluster::FailoverKind::kOrderly));
  ASSERT_TRUE(world[3].machine().Failover(Cluster::FailoverKind::kOrderly));
  world.Run(1000);
  EXPECT_TRUE(world[0].paused);
  EXPECT_TRUE(world[3].machine().myself().is_replica());
  world[3].view.offset = 500;
  ASSERT_TRUE(world.Until([&] { return world[3].machine().myself().is_primary(); }));
  ASSERT_TRUE(world.Until([&] { return world[0].follows == "10.0.0.4:6379"; }));
  EXPECT_FALSE(world[0].paused);
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
}

TEST(Cluster, OrderlyFailoverThatTakesTooLongIsGivenUp) {
  World world(6);
  world.Create(3);
  world[0].view.offset = 500;
  ASSERT_TRUE(world[3].machine().Failover(Cluster::FailoverKind::kOrderly));
  world.Run(6000);
  EXPECT_TRUE(world[3].Logged("Manual failover timed out"));
  EXPECT_TRUE(world[0].machine().myself().is_primary());
  EXPECT_FALSE(world[0].paused);
}

TEST(Cluster, ForcedFailoverAndTakeover) {
  World world(6);
  world.Create(3);
  ASSERT_TRUE(world[3].machine().Failover(Cluster::FailoverKind::kForced));
  ASSERT_TRUE(world.Until([&] { return world[3].machine().myself().is_primary() && world.Settled(); }));

  // Without anybody to vote.
  for (const int number : {0, 1, 2, 3, 5}) world.Stop(number);
  EXPECT_FALSE(world[4].machine().Failover(Cluster::FailoverKind::kOrderly));
  ASSERT_TRUE(world[4].machine().Failover(Cluster::FailoverKind::kTakeover));
  EXPECT_TRUE(world[4].machine().myself().is_primary());
  EXPECT_EQ(world[4].machine().myself().slot_count, kSlots / 3);
}

TEST(Cluster, ASlotMoves) {
  World world(3);
  world.Create(3);
  world[0].keys[5] = 2;
  ASSERT_TRUE(world[2].machine().Import(5, world[0].id()));
  ASSERT_TRUE(world[0].machine().Migrate(5, world[2].id()));
  EXPECT_EQ(world[0].machine().MigratingTo(5)->id.str(), world[2].id());
  EXPECT_EQ(world[2].machine().ImportingFrom(5)->id.str(), world[0].id());
  EXPECT_FALSE(world[0].machine().Assign(5, world[2].id()));
  world[0].keys.clear();
  world[2].keys[5] = 2;
  const Epoch before = world[2].machine().current_epoch();
  ASSERT_TRUE(world[2].machine().Assign(5, world[2].id()));
  EXPECT_EQ(world[2].machine().myself().config_epoch,
            before + 1 - (world[2].machine().current_epoch() == before));
  ASSERT_TRUE(world[0].machine().Assign(5, world[2].id()));
  EXPECT_EQ(world[0].machine().MigratingTo(5), nullptr);
  EXPECT_EQ(world[2].machine().ImportingFrom(5), nullptr);
  EXPECT_TRUE(
      world.Until([&] { return world.Settled() && world[1].machine().Owner(5)->id.str() == world[2].id(); }));
}

// Its old owner has a later epoch, which it took for another slot, and that is heard first.
TEST(Cluster, ASlotThatWasGivenAwayIsWhosesoeverClaimsIt) {
  World world(3);
  world.Create(3);
  Cluster& hears = world[2].machine();
  const auto tell = [&](int from, Epoch epoch, const SlotSet& slots) {
    const Node* node = Seen(world[2], world[from]);
    const Packet packet{.type = PacketType::kPing,
                        .sender = node->id,
                        .flags = kPrimaryFlag,
                        .port = 6379,
                        .bus_port = 16379,
                        .current_epoch = epoch,
                        .config_epoch = epoch,
                        .slots = slots};
    hears.Received(node->in.id, Encode(packet), "10.0.0.3");
  };
  SlotSet fewer = world[0].machine().myself().slots, more = world[1].machine().myself().slots;
  fewer.Remove(0);
  more.Add(0);
  tell(0, 9, fewer);
  EXPECT_EQ(hears.Owner(0)->id.str(), world[0].id());  // until somebody claims it
  tell(1, 2, more);
  EXPECT_EQ(hears.Owner(0)->id.str(), world[1].id());
  EXPECT_EQ(hears.counts().sent[static_cast<size_t>(PacketType::kUpdate)], 0U);
}

TEST(Cluster, WhoWasNotHeardSinceTheStartIsNotSpokenFor) {
  World world(3);
  world.Create(3);
  const SlotSet given = world[0].machine().myself().slots;
  world.Stop(0);
  world[2].Restart();
  ASSERT_TRUE(world.Until([&] { return Seen(world[2], world[1])->out.connected; }));
  // The second one claims what the first has, in an epoch that is earlier.
  Cluster& hears = world[2].machine();
  const Node* node = Seen(world[2], world[1]);
  const Packet packet{.type = PacketType::kPing,
                      .sender = node->id,
                      .flags = kPrimaryFlag,
                      .port = 6379,
                      .bus_port = 16379,
                      .slots = given};
  hears.Received(node->in.id, Encode(packet), "10.0.0.3");
  EXPECT_EQ(hears.Owner(0)->id.str(), world[0].id());
  EXPECT_EQ(hears.counts().sent[static_cast<size_t>(PacketType::kUpdate)], 0U);
}

TEST(Cluster, TheEpochOfAPrimaryIsNotThatOfItsReplica) {
  World world(4);
  world.Create(3);
  ASSERT_TRUE(world[0].machine().BumpEpoch());
  world.Run(5000);
  EXPECT_EQ(Seen(world[1], world[0])->config_epoch, 4U);
  EXPECT_EQ(Seen(world[1], world[3])->config_epoch, 0U);
}

TEST(Cluster, SlotsThatAreElsewhereLoseTheirKeys) {
  World world(3);
  world.Create(3);
  world[0].keys = {{5, 1}, {6, 1}};
  SlotSet slots;
  slots.Add(5);
  ASSERT_TRUE(world[2].machine().DeleteSlots(slots));
  ASSERT_TRUE(world[2].machine().AddSlots(slots));
  ASSERT_TRUE(world[2].machine().BumpEpoch() || true);
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
  EXPECT_FALSE(world[0].keys.contains(5));
  EXPECT_TRUE(world[0].keys.contains(6));
}

TEST(Cluster, WhoLosesAllSlotsFollows) {
  World world(3);
  world.Create(2);
  ASSERT_TRUE(world[2].machine().Failover(Cluster::FailoverKind::kTakeover));
  EXPECT_TRUE(world.Until([&] { return world[0].follows == "10.0.0.3:6379"; }));
}

TEST(Cluster, OfTwoPrimariesWithOneEpochOneTakesANewOne) {
  World world(3);
  for (int number = 0; number < 3; ++number) ASSERT_TRUE(world[number].machine().SetConfigEpoch(7));
  ASSERT_TRUE(world[0].machine().Meet("10.0.0.2", 6379, 16379));
  ASSERT_TRUE(world[0].machine().Meet("10.0.0.3", 6379, 16379));
  EXPECT_TRUE(world.Until([&] {
    std::set<Epoch> epochs;
    for (int number = 0; number < 3; ++number) epochs.insert(world[number].machine().myself().config_epoch);
    return epochs.size() == 3;
  }));
}

TEST(Cluster, AReplicaMovesToAPrimaryThatHasNone) {
  World world(9);
  world.Create(3);
  ASSERT_TRUE(world.Until([&] { return Seen(world[3], world[8])->primary != nullptr; }));
  world.Stop(4);
  world.Stop(7);
  // Its first primary keeps one.
  EXPECT_TRUE(world.Until([&] {
    for (const int number : {3, 5, 6, 8}) {
      if (world[number].follows == "10.0.0.2:6379") return true;
    }
    return false;
  }));
  world.Run(20'000);
  int moved = 0;
  for (const int number : {3, 5, 6, 8}) moved += world[number].follows == "10.0.0.2:6379";
  EXPECT_EQ(moved, 1);
}

TEST(Cluster, WhoHasLeftIsNotAskedBackIn) {
  World world(3);
  world.Create(3);
  const std::string old = world[1].id();
  ASSERT_TRUE(world[1].machine().Reset(true));
  world.Run(500);
  ASSERT_TRUE(world[0].machine().Forget(old));
  ASSERT_TRUE(world[2].machine().Forget(old));
  world.Run(5000);
  EXPECT_EQ(world[1].machine().nodes().size(), 1U);
  EXPECT_EQ(world[0].machine().nodes().size(), 2U);
}

TEST(Cluster, ForgottenNodesStayAwayForATime) {
  World world(4);
  world.Create(3);
  const std::string gone = world[3].id();
  ASSERT_FALSE(world[3].machine().Forget(gone));
  ASSERT_FALSE(world[3].machine().Forget(world[0].id()));
  world.Stop(3);
  for (int number = 0; number < 3; ++number) ASSERT_TRUE(world[number].machine().Forget(gone));
  world.Run(5000);
  EXPECT_EQ(world[0].machine().nodes().size(), 3U);
  world.Run(70'000);
  EXPECT_EQ(world[0].machine().nodes().size(), 3U);
}

TEST(Cluster, OneForgetIsEnoughAmongNewNodes) {
  World world(4);
  world.Create(3);
  const std::string gone = world[3].id();
  world.Stop(3);
  ASSERT_TRUE(world[0].machine().Forget(gone));
  EXPECT_TRUE(world.Until(
      [&] { return world[1].machine().nodes().size() == 3 && world[2].machine().nodes().size() == 3; }));
}

TEST(Cluster, ResetLeavesNothing) {
  World world(4);
  world.Create(3);
  world[3].keys = {{5, 1}};
  const std::string before = world[3].id();
  ASSERT_TRUE(world[3].machine().Reset(true));
  EXPECT_NE(world[3].id(), before);
  EXPECT_EQ(world[3].machine().nodes().size(), 1U);
  EXPECT_EQ(world[3].machine().current_epoch(), 0U);
  EXPECT_TRUE(world[3].keys.empty());
  EXPECT_EQ(world[3].follows, "");
  world[0].keys = {{5, 1}};
  EXPECT_FALSE(world[0].machine().Reset(false));
}

TEST(Cluster, TheFileTellsEverything) {
  World world(6);
  world.Create(3);
  ASSERT_TRUE(world[0].machine().Migrate(7, world[1].id()));
  ASSERT_TRUE(world[0].machine().Import(16'000, world[2].id()));
  const std::string id = world[0].id();
  world[0].Restart();
  Cluster& machine = world[0].machine();
  EXPECT_EQ(world[0].id(), id);
  EXPECT_EQ(machine.nodes().size(), 6U);
  EXPECT_EQ(machine.myself().slot_count, kSlots / 3);
  EXPECT_EQ(machine.MigratingTo(7)->id.str(), world[1].id());
  EXPECT_EQ(machine.ImportingFrom(16'000)->id.str(), world[2].id());
  EXPECT_EQ(Seen(world[0], world[4])->primary, Seen(world[0], world[1]));
  EXPECT_TRUE(world.Until([&] { return world.Settled(); }));
}

TEST(Cluster, KeysWithoutAnOwnerGiveTheSlotAfterARestart) {
  World world(2);
  ASSERT_TRUE(world[0].machine().Meet("10.0.0.2", 6379, 16379));
  SlotSet slots;
  slots.Add(1);
  ASSERT_TRUE(world[1].machine().AddSlots(slots));
  ASSERT_TRUE(world.Until([&] { return world[0].machine().Owner(1) != nullptr; }));
  world[0].keys = {{1, 1}, {2, 1}};
  world[0].Restart();
  EXPECT_EQ(world[0].machine().Owner(2), &world[0].machine().myself());
  EXPECT_EQ(world[0].machine().ImportingFrom(1)->id.str(), world[1].id());
}

TEST(Cluster, MessagesReachEverybodyAndShardedOnesTheShard) {
  World world(6);
  world.Create(3);
  ASSERT_TRUE(world.Until([&] { return Seen(world[0], world[3])->primary != nullptr; }));
  world[0].machine().Publish(false, "news", "all");
  world[0].machine().Publish(true, "news", "some");
  world.Deliver();
  EXPECT_EQ(world[1].delivered, std::vector<std::string>{"news=all"});
  EXPECT_EQ(world[3].delivered, (std::vector<std::string>{"news=all", "s:news=some"}));
}

TEST(Cluster, AReplicaIsInTheShardOfItsPrimary) {
  World world(2);
  world.Create(1);
  EXPECT_TRUE(
      world.Until([&] { return world[1].machine().myself().shard == world[0].machine().myself().shard; }));
  // It follows before it has heard of the shard.
  World other(2);
  ASSERT_TRUE(other[0].machine().Meet("10.0.0.2", 6379, 16379));
  ASSERT_TRUE(other.Until([&] { return Seen(other[1], other[0]) != nullptr; }));
  ASSERT_TRUE(other[1].machine().Replicate(other[0].id()));
  EXPECT_TRUE(
      other.Until([&] { return other[1].machine().myself().shard == other[0].machine().myself().shard; }));
}

TEST(Cluster, HostNamesAndShardsAreToldAround) {
  World world(4);
  world[1].machine().options().hostname = "one.example";
  world[1].machine().OptionsChanged();
  world.Create(3);
  EXPECT_TRUE(world.Until([&] { return Seen(world[0], world[1])->hostname == "one.example"; }));
  EXPECT_TRUE(world.Until([&] {
    return !Seen(world[1], world[0])->shard.empty() &&
           Seen(world[1], world[3])->shard == Seen(world[1], world[0])->shard;
  }));
  world[1].machine().options().hostname = "";
  world[1].machine().OptionsChanged();
  EXPECT_TRUE(world.Until([&] { return Seen(world[0], world[1])->hostname.empty(); }));
}

TEST(Cluster, ErrorsOfSlotsAreThoseOfRedis) {
  World world(3);
  world.Create(2);
  Cluster& machine = world[0].machine();
  const std::string other = world[1].id();
  const auto error = [](const Status& status) { return status ? std::string("OK") : status.error().message; };
  SlotSet busy;
  busy.Add(9000);
  EXPECT_EQ(error(machine.AddSlots(busy)), "ERR Slot 9000 is already busy");
  EXPECT_EQ(error(machine.Migrate(9000, other)), "ERR I'm not the owner of hash slot 9000");
  EXPECT_EQ(error(machine.Migrate(1, std::string(40, 'a'))),
            "ERR I don't know about node " + std::string(40, 'a'));
  EXPECT_EQ(error(machine.Migrate(1, world[2].id())), "ERR Target node is not a master");
  EXPECT_EQ(error(machine.Import(1, other)), "ERR I'm already the owner of hash slot 1");
  EXPECT_EQ(error(machine.Assign(1, "zz")), "ERR Unknown node zz");
  EXPECT_EQ(error(world[2].machine().MakeStable(1)), "ERR Please use SETSLOT only with masters.");
  EXPECT_EQ(error(machine.Replicate(machine.myself().id.str())), "ERR Can't replicate myself");
  EXPECT_EQ(error(machine.Replicate(other)),
            "ERR To set a master the node must be empty and without assigned slots.");
  EXPECT_EQ(error(machine.SetConfigEpoch(9)),
            "ERR The user can assign a config epoch only when the node does not know any other node.");
  ASSERT_TRUE(machine.DeleteSlots(machine.myself().slots));
  EXPECT_FALSE(machine.healthy());
  SlotSet free;
  free.Add(1);
  EXPECT_EQ(error(machine.DeleteSlots(free)), "ERR Slot 1 is already unassigned");
}

TEST(Cluster, LinksThatAreKilledAreMadeAnew) {
  World world(2);
  world.Create(2);
  Cluster& machine = world[0].machine();
  Node& other = *machine.Find(world[1].id());
  const LinkId out = other.out.id;
  const LinkId in = other.in.id;
  machine.KillLinks(other, Cluster::Direction::kTo);
  EXPECT_EQ(other.out.id, 0U);
  EXPECT_EQ(other.in.id, in);
  machine.KillLinks(other, Cluster::Direction::kBoth);
  EXPECT_EQ(other.in.id, 0U);
  EXPECT_EQ(machine.Links().size(), 0U);
  ASSERT_TRUE(world.Until([&] { return other.out.connected && other.in.connected; }));
  EXPECT_NE(other.out.id, out);
  EXPECT_NE(other.in.id, in);
}

TEST(Cluster, PacketsThatAreDroppedAreNotHeard) {
  World world(3);
  world.Create(3);
  Cluster& machine = world[0].machine();
  machine.faults().dropped_type = static_cast<int64_t>(PacketType::kPong);
  const uint64_t pongs = machine.counts().received[1];
  const uint64_t pings = machine.counts().received[0];
  world.Run(5000);
  EXPECT_EQ(machine.counts().received[1], pongs);
  EXPECT_GT(machine.counts().received[0], pings);
  EXPECT_NE(Seen(world[0], world[1])->ping_sent, 0);
  EXPECT_TRUE(world[0].Logged("debug drop filter"));
  machine.faults() = {};
  world.Run(5000);
  EXPECT_GT(machine.counts().received[1], pongs);
  EXPECT_TRUE(world.Settled());
}

TEST(Cluster, ADroppedPacketMayTakeItsLinkAlong) {
  World world(2);
  world.Create(2);
  Cluster& machine = world[0].machine();
  const LinkId out = Seen(world[0], world[1])->out.id;
  machine.faults() = {.dropped_type = static_cast<int64_t>(PacketType::kPong), .drop_closes = true};
  ASSERT_TRUE(world.Until([&] { return Seen(world[0], world[1])->out.id != out; }));
  machine.faults() = {};
  EXPECT_TRUE(world.Until([&] { return Seen(world[0], world[1])->out.connected; }));
}

TEST(Cluster, TheOffsetOfANodeIsWhatItSaidLast) {
  World world(4);
  world[2].view.offset = 12;
  world.Create(2);
  world.Run(3000);
  EXPECT_EQ(world[2].machine().OffsetOf(world[2].machine().myself()), 12U);
  EXPECT_EQ(world[0].machine().OffsetOf(*Seen(world[0], world[2])), 12U);
}

TEST(Cluster, WhoIsForgottenAlreadyMayBeForgottenAgain) {
  World world(3);
  world.Create(3);
  const std::string gone = world[2].id();
  ASSERT_TRUE(world[0].machine().Forget(gone));
  EXPECT_TRUE(world[0].machine().Forget(gone));
  // The other one may have heard of it.
  ASSERT_TRUE(world.Until([&] { return Seen(world[1], world[2]) == nullptr; }));
  EXPECT_TRUE(world[1].machine().Forget(gone));
  EXPECT_FALSE(world[0].machine().Forget(std::string(40, 'a')));
}

}  // namespace
}  // namespace cinnabar::cluster
