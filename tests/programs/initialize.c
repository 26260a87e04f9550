/* initialize PATH: a System V semaphore is made and only then given its value; the other may come between. */
#include "shared.h"

int main(int argc, char **argv) {
    key_t key = ftok(argv[1], 'i');
    int other = fork();
    int id = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    if (id >= 0) {
        semctl(id, 0, SETVAL, 1);
    } else {
        id = semget(key, 1, 0);
        int value = semctl(id, 0, GETVAL);
        printf("the other finds %d\n", value);
    }
    fflush(stdout);
    if (other == 0) _exit(0);
    wait(NULL);
    semctl(id, 0, IPC_RMID);
    return 0;
}
