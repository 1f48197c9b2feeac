#include "executor.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace keyferry {
namespace {

// Short jobs that a thread takes from the queue at once.
constexpr uint32_t kShortJobsAtOnce = 32;
// Finished jobs are told when so many are there, or when the first of them is so old.
constexpr uint32_t kToldTogetherMax = 32;
constexpr uint64_t kToldWithinNs = 200'000;
// A long job that has waited so long goes before short ones.
constexpr uint64_t kLongWaitNs = 5'000'000;

uint64_t now_ns() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

void SlotList::push_back(JobSlot* slot) {
  slot->next = nullptr;
  if (first_ == nullptr) {
    first_ = slot;
  } else {
    last_->next = slot;
  }
  last_ = slot;
  ++size_;
}

void SlotList::push_front(JobSlot* slot) {
  slot->next = first_;
  if (first_ == nullptr) last_ = slot;
  first_ = slot;
  ++size_;
}

JobSlot* SlotList::pop_front() {
  JobSlot* slot = first_;
  first_ = slot->next;
  if (first_ == nullptr) last_ = nullptr;
  slot->next = nullptr;
  --size_;
  return slot;
}

void SlotList::append(SlotList& other) {
  if (other.empty()) return;
  if (first_ == nullptr) {
    first_ = other.first_;
  } else {
    last_->next = other.first_;
  }
  last_ = other.last_;
  size_ += other.size_;
  other = SlotList();
}

Executor::Executor(std::shared_ptr<Module> module, CK_SLOT_ID slot, ExecutorLimits limits, std::function<void()> wake)
    : module_(std::move(module)), slot_(slot), limits_(limits), wake_(std::move(wake)) {}

Executor::~Executor() { stop(); }

CK_RV Executor::start() {
  for (uint32_t i = 0; i < limits_.threads; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->executor = this;
    worker->runner = std::make_unique<Runner>(module_, slot_);
    const CK_RV rv = worker->runner->open_session();
    if (rv != CKR_OK) return rv;
    logged_in_ = worker->runner->logged_in();
    workers_.push_back(std::move(worker));
  }
  epoch_ = next_epoch();
  for (const auto& worker : workers_) worker->epoch = epoch_;
  // Signals are for the threads of the process's own making.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  for (const auto& worker : workers_) {
    worker->started = pthread_create(&worker->thread, nullptr, thread_main, worker.get()) == 0;
    started = started && worker->started;
    if (worker->started) pthread_setname_np(worker->thread, "keyferry-token");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started ? CKR_OK : CKR_HOST_MEMORY;
}

void Executor::stop() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    state_ = ExecutorState::kClosing;
  }
  work_there_.notify_all();
  for (const auto& worker : workers_) {
    if (worker->started) pthread_join(worker->thread, nullptr);
    worker->started = false;
  }
  workers_.clear();
}

JobSlot* Executor::new_slot() {
  if (free_slots_.empty()) {
    slots_.push_back(std::make_unique<JobSlot>());
    return slots_.back().get();
  }
  JobSlot* slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void Executor::give_back(JobSlot* slot) {
  slot->result.clear(false);
  slot->program.clear(false);
  free_slots_.push_back(slot);
}

uint32_t Executor::submit(const uint8_t* programs, size_t length, uint32_t count) {
  SlotList fresh[kWeights];
  const uint64_t now = now_ns();
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    count = std::min(count, limits_.jobs_max - std::min(queued_, limits_.jobs_max));
  }
  uint32_t taken = 0;
  size_t at = 0;
  for (; taken < count; ++taken) {
    ProgramHeader header;
    uint32_t id = 0;
    if (length - at < 4) break;
    memcpy(&id, programs + at, 4);
    if (!read_header(programs + at + 4, length - at - 4, header)) break;
    JobSlot* slot = new_slot();
    uint8_t* copy = slot->program.reserve(header.length);
    if (copy == nullptr) {
      free_slots_.push_back(slot);
      break;
    }
    memcpy(copy, programs + at + 4, header.length);
    slot->program.commit(header.length);
    slot->id = id;
    slot->weight = header.weight;
    slot->epoch = header.epoch;
    slot->queued_ns = now;
    fresh[static_cast<uint32_t>(header.weight)].push_back(slot);
    at += 4 + header.length;
  }
  uint32_t to_wake = 0;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    queued_ += taken;
    const uint32_t short_free = limits_.short_threads_max - std::min(running_[0], limits_.short_threads_max);
    const uint32_t more_short = std::min(fresh[0].size(), short_free);
    to_wake = std::min(idle_threads_, more_short + fresh[1].size() + fresh[2].size() + fresh[3].size());
    for (uint32_t weight = 0; weight < kWeights; ++weight) queues_[weight].append(fresh[weight]);
  }
  for (uint32_t i = 0; i < to_wake; ++i) work_there_.notify_one();
  return taken;
}

Drained Executor::drain() {
  const std::lock_guard<std::mutex> guard(mutex_);
  woken_ = false;
  Drained drained{std::exchange(done_, SlotList()), state_, true, loss_rv_};
  for (const auto& worker : workers_) drained.idle = drained.idle && !worker->busy;
  return drained;
}

CK_RV Executor::reopen() {
  // While sessions are lost no thread takes a job, so those that are idle now stay so.
  std::vector<Worker*> idle;
  std::vector<Worker*> busy;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (state_ != ExecutorState::kLost) return CKR_FUNCTION_FAILED;
    for (const auto& worker : workers_) (worker->busy ? busy : idle).push_back(worker.get());
  }
  if (idle.empty()) return CKR_FUNCTION_FAILED;
  // Handles of sessions that are gone may come again. They are let go of before there are new ones.
  for (Worker* worker : busy) worker->runner->abandon_lost_session();
  for (Worker* worker : idle) worker->runner->close_session();
  for (Worker* worker : idle) {
    const CK_RV rv = open_session(*worker);
    if (rv != CKR_OK) return rv;
  }
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    epoch_ = next_epoch();
    for (Worker* worker : idle) worker->epoch = epoch_;
    state_ = ExecutorState::kRunning;
    loss_rv_ = CKR_OK;
  }
  work_there_.notify_all();
  return CKR_OK;
}

void Executor::abandon() {
  SlotList all;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    for (SlotList& queue : queues_) all.append(queue);
    queued_ = 0;
  }
  for (JobSlot* slot = all.front(); slot != nullptr; slot = slot->next) answer(slot, Status::kAbandoned);
  publish(all);
}

// Which jobs a thread takes next; the mutex is held. Short jobs keep to as few threads as the limits say. Slow ones
// leave one thread to the others where there is more than one. Of those that hold the objects alone, one runs.
bool Executor::take(const Worker& worker, Batch& batch, bool after_short) {
  if (state_ != ExecutorState::kRunning || worker.epoch != epoch_) return false;
  SlotList& short_jobs = queues_[0];
  SlotList& long_jobs = queues_[1];
  SlotList& slow_jobs = queues_[2];
  SlotList& alone_jobs = queues_[3];
  const uint32_t slow_max = limits_.threads > 1 ? limits_.threads - 1 : 1;
  const bool can_alone = !alone_jobs.empty() && running_[3] == 0;
  const bool can_slow = !slow_jobs.empty() && running_[2] < slow_max;
  const bool can_short = !short_jobs.empty() && running_[0] < limits_.short_threads_max;
  JobSlot* longer = long_jobs.front();
  for (JobSlot* other : {can_slow ? slow_jobs.front() : nullptr, can_alone ? alone_jobs.front() : nullptr}) {
    if (other != nullptr && (longer == nullptr || other->queued_ns < longer->queued_ns)) longer = other;
  }
  const bool long_is_due = longer != nullptr && after_short && now_ns() - longer->queued_ns > kLongWaitNs;
  if (can_short && !long_is_due) {
    batch.weight = Weight::kShort;
    const uint32_t share = (short_jobs.size() + limits_.short_threads_max - 1) / limits_.short_threads_max;
    const uint32_t at_once = std::min(share, kShortJobsAtOnce);
    while (batch.slots.size() < at_once) batch.slots.push_back(short_jobs.pop_front());
  } else if (longer != nullptr) {
    batch.weight = longer->weight;
    batch.slots.push_back(queues_[static_cast<uint32_t>(longer->weight)].pop_front());
  } else {
    return false;
  }
  queued_ -= batch.slots.size();
  ++running_[static_cast<uint32_t>(batch.weight)];
  return true;
}

CK_RV Executor::open_session(Worker& worker) {
  const CK_RV rv = worker.runner->open_session();
  if (rv != CKR_OK) return rv;
  // The sessions were closed again since the login: in a public one a search finds nothing and does not fail.
  return logged_in_ && !worker.runner->logged_in() ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

// Opens the session of a thread whose job outlived its epoch. Where that fails this epoch has ended too.
void Executor::renew(Worker& worker, std::unique_lock<std::mutex>& lock) {
  worker.busy = true;
  const uint32_t epoch = epoch_;
  lock.unlock();
  const CK_RV rv = open_session(worker);
  lock.lock();
  worker.busy = false;
  worker.epoch = epoch;
  if (rv == CKR_OK || state_ != ExecutorState::kRunning || epoch != epoch_) return;
  state_ = ExecutorState::kLost;
  loss_rv_ = rv;
  if (woken_) return;
  woken_ = true;
  lock.unlock();
  wake_();
  lock.lock();
}

// Gives back what a thread took and did not run; the mutex is held.
void Executor::finish(Batch& batch) {
  --running_[static_cast<uint32_t>(batch.weight)];
  SlotList& queue = queues_[static_cast<uint32_t>(batch.weight)];
  queued_ += batch.slots.size();
  batch.slots.append(queue);
  queue = batch.slots;
  batch.slots = SlotList();
}

void* Executor::thread_main(void* argument) {
  auto* worker = static_cast<Worker*>(argument);
  worker->executor->work(*worker);
  return nullptr;
}

void Executor::work(Worker& worker) {
  bool after_short = false;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    Batch batch{SlotList(), Weight::kShort};
    if (state_ == ExecutorState::kRunning && worker.epoch != epoch_) {
      renew(worker, lock);
      continue;
    }
    if (!take(worker, batch, after_short)) {
      if (state_ == ExecutorState::kClosing) return;
      ++idle_threads_;
      work_there_.wait(lock);
      --idle_threads_;
      continue;
    }
    after_short = batch.weight == Weight::kShort;
    worker.busy = true;
    lock.unlock();

    SlotList done;
    uint64_t first_done_ns = 0;
    bool go_on = true;
    while (go_on && !batch.slots.empty()) {
      JobSlot* slot = batch.slots.pop_front();
      run(worker, slot);
      const uint64_t now = worker.runner->ended_ns();
      if (done.empty()) first_done_ns = now;
      done.push_back(slot);
      if (batch.slots.empty() || done.size() >= kToldTogetherMax || now - first_done_ns >= kToldWithinNs) publish(done);
      go_on = state_.load(std::memory_order_relaxed) == ExecutorState::kRunning &&
              worker.epoch == epoch_.load(std::memory_order_relaxed);
    }
    publish(done);

    lock.lock();
    worker.busy = false;
    finish(batch);
    if (state_ == ExecutorState::kLost && !woken_) {
      woken_ = true;
      lock.unlock();
      wake_();
      lock.lock();
    }
  }
}

void Executor::run(Worker& worker, JobSlot* slot) {
  const bool is_stale = slot->epoch != 0 && slot->epoch != worker.epoch;
  slot->epoch = worker.epoch;
  if (is_stale) {
    answer(slot, Status::kStale);
    return;
  }
  const Outcome outcome = worker.runner->run(slot->id, slot->program.data(), slot->program.size(), slot->result);
  slot->program.clear(false);
  if (outcome.status == Status::kSessionLost) lose(worker, outcome.rv);
}

void Executor::answer(JobSlot* slot, Status status) {
  ResultWriter writer(slot->result);
  writer.begin();
  Outcome outcome;
  outcome.status = status;
  writer.finish(slot->id, outcome, 0, 0);
  slot->program.clear(false);
}

// The first loss of an epoch stops the taking of jobs; those that run end as they end.
void Executor::lose(const Worker& worker, CK_RV rv) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (state_ != ExecutorState::kRunning || worker.epoch != epoch_) return;
  state_ = ExecutorState::kLost;
  loss_rv_ = rv;
}

void Executor::publish(SlotList& done) {
  if (done.empty()) return;
  bool tell = false;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    done_.append(done);
    tell = !woken_;
    woken_ = true;
  }
  if (tell) wake_();
}

}  // namespace keyferry
