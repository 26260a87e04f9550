/* race PROCESSES INCREMENTS [none|before|sysv|posix|flock|own]: children that increment one counter. */
#include "shared.h"

static volatile int *counter;
static sem_t *posix_guard;
static int sysv_guard, lock_file;
static const char *guard;

static void change(int operation) {
    struct sembuf change = {0, operation, 0};
    semop(sysv_guard, &change, 1);
}

static void enter(void) {
    if (!strcmp(guard, "before")) sched_yield();
    if (!strcmp(guard, "sysv")) change(-1);
    if (!strcmp(guard, "posix")) sem_wait(posix_guard);
    if (!strcmp(guard, "flock")) flock(lock_file, LOCK_EX);
}

static void leave(void) {
    if (!strcmp(guard, "sysv")) change(+1);
    if (!strcmp(guard, "posix")) sem_post(posix_guard);
    if (!strcmp(guard, "flock")) flock(lock_file, LOCK_UN);
}

static void increment(int times) {
    if (!strcmp(guard, "flock")) lock_file = open("/proc/self/exe", O_RDONLY);
    for (int i = 0; i < times; i++) {
        enter();
        int value = *counter;
        sched_yield();
        *counter = value + 1;
        leave();
    }
}

int main(int argc, char **argv) {
    int processes = atoi(argv[1]), times = atoi(argv[2]);
    guard = argc > 3 ? argv[3] : "none";
    counter = shared(4096);
    posix_guard = (sem_t *)((char *)counter + 64);
    sem_init(posix_guard, 1, 1);
    if (!strcmp(guard, "sysv")) {
        sysv_guard = semget(IPC_PRIVATE, 1, 0600);
        semctl(sysv_guard, 0, SETVAL, 1);
    }
    for (int p = 0; p < processes; p++)
        if (fork() == 0) {
            increment(times);
            _exit(0);
        }
    for (int p = 0; p < processes; p++) wait(NULL);
    if (!strcmp(guard, "sysv")) semctl(sysv_guard, 0, IPC_RMID);
    printf("%d\n", *counter);
    return 0;
}
