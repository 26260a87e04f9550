/* signals SCENE: what handlers, stops and ends do to calls that wait. */
#include "shared.h"
#include <pthread.h>
#include <setjmp.h>
#include <time.h>

static sigjmp_buf back;
static int ends[2];
static char byte;

static void rest(int milliseconds) { usleep(1000 * milliseconds); }
static void on(int number, void (*handler)(int), int flags) {
    sigaction(number, &(struct sigaction){.sa_handler = handler, .sa_flags = flags}, NULL);
}
static void nothing(int number) { (void)number; }
static void reap(int number) { (void)number; while (waitpid(-1, NULL, WNOHANG) > 0); }
static void jump(int number) { (void)number; siglongjmp(back, 1); }
static void sleeper(int number) { (void)number; rest(20000); }

/* A handler that makes calls of its own, one that is interrupted in it, and one that never comes back. */
static void nested(void) {
    on(SIGUSR1, sleeper, 0), on(SIGUSR2, nothing, 0), on(SIGALRM, jump, 0);
    int other = getpid();
    if (fork() == 0) {
        rest(10), kill(other, SIGUSR1), rest(10), kill(other, SIGUSR2), rest(10), kill(other, SIGALRM);
        rest(10), kill(other, SIGUSR2), _exit(0);
    }
    read(ends[0], &byte, 1);
    if (sigsetjmp(back, 1) == 0) read(ends[0], &byte, 1);
    rest(20000);
    wait(NULL);
}

static void child(void) {
    on(SIGCHLD, reap, SA_RESTART);
    if (fork() == 0) rest(5), _exit(0);
    pause();
}

/* Stopped in a call that then gives EINTR, and continued. */
static void stopped(void) {
    int set = semget(IPC_PRIVATE, 1, 0600), other = fork(), status;
    if (other == 0) _exit(semop(set, &(struct sembuf){0, -1, 0}, 1) < 0 ? errno : 0);
    rest(20), kill(other, SIGSTOP);
    waitpid(other, &status, WUNTRACED);
    kill(other, SIGCONT);
    waitpid(other, &status, 0);
    semctl(set, 0, IPC_RMID);
}

/* A timer interrupts one who waits while another sleeps for longer. */
static void timer(void) {
    on(SIGALRM, nothing, 0);
    int other = fork();
    if (other == 0) rest(20000), _exit(0);
    timer_t clock;
    timer_create(CLOCK_MONOTONIC, NULL, &clock);
    timer_settime(clock, 0, &(struct itimerspec){{0, 0}, {0, 100000000}}, NULL);
    pause();
    kill(other, SIGKILL);
    wait(NULL);
}

static void *thread(void *run) {
    rest(10), write(ends[1], "x", 1);
    if (run) execl("/bin/true", "true", NULL);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t other;
    (void)argc, pipe(ends);
    switch (argv[1][0]) {
    case 'n': nested(); break;
    case 'c': child(); break;
    case 's': stopped(); break;
    case 't': timer(); break;
    case 'e': pthread_create(&other, NULL, thread, "run"), pthread_join(other, NULL); break;
    case 'l': pthread_create(&other, NULL, thread, NULL), pthread_exit(NULL);
    }
}
