// Threads that run jobs, each on a session of its own. Knows nothing of JavaScript.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runner.h"

namespace keyferry {

// One job on its way: what came in, what goes out. Reused, wiped between uses.
struct JobSlot {
  uint32_t id = 0;
  Weight weight = Weight::kShort;
  uint32_t epoch = 0;  // of its handles, 0 for none; once it is done, of the session that it ran in
  uint64_t queued_ns = 0;
  WipedBuffer program;
  WipedBuffer result;
  JobSlot* next = nullptr;
};

// A list of slots, linked through them.
class SlotList {
 public:
  bool empty() const { return first_ == nullptr; }
  uint32_t size() const { return size_; }
  JobSlot* front() const { return first_; }
  void push_back(JobSlot* slot);
  void push_front(JobSlot* slot);
  JobSlot* pop_front();
  void append(SlotList& other);

 private:
  JobSlot* first_ = nullptr;
  JobSlot* last_ = nullptr;
  uint32_t size_ = 0;
};

enum class ExecutorState : uint32_t { kRunning = 0, kLost = 1, kClosing = 2 };

struct ExecutorLimits {
  uint32_t threads;
  // Threads that may run short jobs at the same time: tokens with one lock for all lose with more than one.
  uint32_t short_threads_max;
  uint32_t jobs_max;
};

// What is finished, and how the executor is.
struct Drained {
  SlotList slots;
  ExecutorState state;
  bool idle;  // no thread runs a job
  CK_RV loss_rv;
};

class Executor {
 public:
  // `wake` is called on the threads when something is there to drain; never twice before the next drain().
  Executor(std::shared_ptr<Module> module, CK_SLOT_ID slot, ExecutorLimits limits, std::function<void()> wake);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Opens the sessions and starts the threads.
  CK_RV start();
  // Copies programs that lie one behind another, each in front of it the job's id, and queues them; how many it took.
  uint32_t submit(const uint8_t* programs, size_t length, uint32_t count);
  // Takes what is finished. The slots go back through give_back().
  Drained drain();
  void give_back(JobSlot* slot);
  // Opens the sessions anew, in a new epoch; only while lost. Threads that still run a job do so in the session that they
  // have, as long as it lives, and get one of the new epoch when the job has ended.
  CK_RV reopen();
  // Finishes all queued jobs as abandoned.
  void abandon();
  // Ends the threads after the jobs they are running, and closes the sessions.
  void stop();
  uint32_t epoch() const { return epoch_.load(std::memory_order_relaxed); }

 private:
  struct Worker {
    Executor* executor;
    std::unique_ptr<Runner> runner;
    pthread_t thread;
    bool started = false;
    // With the executor's mutex: whether it uses its runner, and the epoch of its session.
    bool busy = false;
    uint32_t epoch = 0;
  };
  // What a thread took from the queue at once.
  struct Batch {
    SlotList slots;
    Weight weight;
  };

  static void* thread_main(void* worker);
  void work(Worker& worker);
  bool take(const Worker& worker, Batch& batch, bool after_short);
  CK_RV open_session(Worker& worker);
  void renew(Worker& worker, std::unique_lock<std::mutex>& lock);
  void finish(Batch& batch);
  void run(Worker& worker, JobSlot* slot);
  void answer(JobSlot* slot, Status status);
  void publish(SlotList& done);
  void lose(const Worker& worker, CK_RV rv);
  JobSlot* new_slot();

  const std::shared_ptr<Module> module_;
  const CK_SLOT_ID slot_;
  const ExecutorLimits limits_;
  const std::function<void()> wake_;

  std::mutex mutex_;
  std::condition_variable work_there_;
  SlotList queues_[kWeights];
  uint32_t running_[kWeights] = {};
  uint32_t queued_ = 0;
  uint32_t idle_threads_ = 0;
  SlotList done_;
  bool woken_ = false;
  std::atomic<ExecutorState> state_ = ExecutorState::kRunning;  // changed with the mutex held
  CK_RV loss_rv_ = CKR_OK;
  bool logged_in_ = false;  // when it was started
  std::atomic<uint32_t> epoch_ = 0;  // changed with the mutex held

  std::vector<std::unique_ptr<Worker>> workers_;
  // Only used by the thread that submits and drains.
  std::vector<std::unique_ptr<JobSlot>> slots_;
  std::vector<JobSlot*> free_slots_;
};

}  // namespace keyferry
