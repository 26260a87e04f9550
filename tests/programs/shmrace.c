/* shmrace: parent and child, two unguarded increments each, in System V memory. */
#include "shared.h"

int main(void) {
    int id = shmget(IPC_PRIVATE, sizeof(int), 0600);
    volatile int *counter = shmat(id, NULL, 0);
    int child = fork();
    for (int i = 0; i < 2; i++) {
        sched_yield();
        int value = *counter;
        sched_yield();
        *counter = value + 1;
    }
    if (child == 0) _exit(0);
    wait(NULL);
    printf("%d\n", *counter);
    shmctl(id, IPC_RMID, NULL);
    return 0;
}
