/* wakeup [safe|unmarked]: a flag is looked at, and then a signal waited for; it may come between the two. */
#include "shared.h"

static volatile sig_atomic_t told;
static void handler(int number) { told = 1; }

int main(int argc, char **argv) {
    int safe = argc > 1 && strcmp(argv[1], "safe") == 0, marked = argc == 1, parent = getpid();
    sigset_t usr1, old;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    signal(SIGUSR1, handler);
    if (safe) sigprocmask(SIG_BLOCK, &usr1, &old);
    if (fork() == 0) {
        kill(parent, SIGUSR1);
        _exit(0);
    }
    while (!told) {
        if (marked) sched_yield();
        if (safe) sigsuspend(&old);
        else pause();
    }
    wait(NULL);
    puts("told");
    return 0;
}
