#include "simulator/node.h"

#include "base/check.h"
#include "base/numbers.h"
#include "simulator/process.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kTick = 100;

}  // namespace

Node::Node(int number, EventQueue& events, Network& network, Random& random, Watch& watch,
           const NodeOptions& options)
    : number_(number),
      events_(events),
      network_(network),
      random_(random),
      watch_(watch),
      options_(options) {}

Node::~Node() = default;

void Node::Start(Disk disk) {
  CHECK(!running());
  if (disk == Disk::kLost) disk_.reset();
  ++beginnings_;
  process_ = std::make_unique<Process>(*this);
  network_.SetUser(number_, process_.get());
  process_->Begin();
}

void Node::Crash() {
  network_.Crash(number_);
  gate_.Reset();
  process_.reset();
  ++life_;
}

void Node::Save() {
  if (!process_->data_valid_ || process_->unstreamed_) return;
  disk_ = {process_->data_.Serialize(), process_->history_, process_->offset_};
}

void Node::BecomePrimary() {
  process_->BecomePrimary();
}

void Node::Follow(int primary) {
  process_->FollowNode(primary);
}

void Node::Write(const std::vector<std::vector<std::string>>& commands) {
  process_->Write(commands);
}

void Node::HoldPings() {
  process_->quiet_ = true;
}

void Node::GoOnPinging() {
  process_->quiet_ = false;
}

NetworkUser& Node::network_user() {
  return *process_;
}

bool Node::is_primary() const {
  return process_->primary_;
}
std::optional<int> Node::followed() const {
  return process_->followed_;
}
bool Node::readable() const {
  return process_->data_valid_;
}
bool Node::streaming() const {
  return !process_->unstreamed_;
}
bool Node::link_online() const {
  return process_->link_.online();
}
Millis Node::link_down_since() const {
  return process_->link_.down_since();
}
std::vector<int> Node::followers() const {
  std::vector<int> followers;
  for (const auto& [connection, session] : process_->sessions_) {
    if (session->link.state() != replication::PrimaryLink::State::kClient) followers.push_back(session->peer);
  }
  return followers;
}
const History& Node::history() const {
  return process_->history_;
}
StreamOffset Node::offset() const {
  return process_->offset_;
}
const DataSet& Node::data() const {
  return process_->data_;
}

std::string Node::Description() const {
  std::string text = "node " + Int64ToString(number_);
  if (!running()) return text + " down";
  text += is_primary() ? " primary" : followed() ? " replica of " + Int64ToString(*followed()) : " idle";
  text += " " + std::string(history().id().text().substr(0, 6)) + ":" +
          Int64ToString(static_cast<int64_t>(offset()));
  if (!readable()) text += " without data";
  return text + " link " + std::string(process_->link_.state_name());
}

// ---- the process ----

Process::Process(Node& node) : node_(node), backlog_(node.options_.backlog_bytes), link_(*this) {
  link_.settings().timeout = node.options_.timeout;
  link_.settings().listening_port = node.number_;
}

Process::~Process() {
  *alive_ = false;
  sessions_.clear();
}

// Events of a process that is gone do nothing.
void Process::After(Millis delay, std::function<void()> event) {
  node_.events_.After(delay, [this, alive = alive_, event = std::move(event)] {
    if (*alive) node_.gate_.Pass(event);
  });
}

void Process::Trace(std::string_view what) {
  if (!node_.watch_.tracing()) return;
  node_.watch_.Trace(Int64ToString(now()) + " " + node_.Description() + ": " + std::string(what));
}

void Process::Begin() {
  if (node_.disk_) {
    auto data = DataSet::Parse(node_.disk_->payload);
    CHECK(data.has_value());
    data_ = std::move(*data);
    history_ = node_.disk_->history;
    offset_ = node_.disk_->offset;
  } else {
    NewHistory(std::nullopt);
  }
  backlog_.Start(offset_);
  After(Jitter(kTick), [this] { OnTick(); });
}

void Process::OnTick() {
  link_.OnTick(now());
  TickServing();
  After(kTick, [this] { OnTick(); });
}

}  // namespace cinnabar::simulator
