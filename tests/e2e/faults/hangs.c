// Loaded first: the thread that takes SIGUSR2, of a process the first one, never comes back from
// it; the others go on.
#include <signal.h>
#include <unistd.h>

static void hang(int number) {
  (void)number;
  for (;;) pause();
}

__attribute__((constructor)) static void listen_for_it(void) { signal(SIGUSR2, hang); }
