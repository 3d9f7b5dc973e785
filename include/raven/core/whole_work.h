// Work that an end by signal must not cut in two.
#pragma once

namespace raven {

/// As long as one lives, a second signal (see watch_signals) waits: what is being written, a
/// checkpoint or the files of a folder, is finished first, for a minute at most. A kill (SIGKILL)
/// waits for nothing.
class WholeWork {
 public:
  WholeWork();
  ~WholeWork();
  WholeWork(const WholeWork&) = delete;
  WholeWork& operator=(const WholeWork&) = delete;
};

/// Ends the process with `code` as soon as no WholeWork lives, after a minute at most.
[[noreturn]] void end_at_once(int code);

}  // namespace raven
