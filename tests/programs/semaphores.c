/* semaphores crossed | philosophers N | together N: who takes several semaphores, one by one or at once. */
#include "shared.h"

static int set;

static void change(int number, int operation) {
    struct sembuf one = {number, operation, 0};
    semop(set, &one, 1);
}

static void one_by_one(int first, int second) {
    change(first, -1);
    change(second, -1);
    change(second, +1);
    change(first, +1);
}

static void together(int first, int second) {
    struct sembuf take[] = {{first, -1, 0}, {second, -1, 0}}, give[] = {{first, +1, 0}, {second, +1, 0}};
    semop(set, take, 2);
    semop(set, give, 2);
}

int main(int argc, char **argv) {
    int crossed = !strcmp(argv[1], "crossed"), at_once = !strcmp(argv[1], "together");
    int many = crossed ? 2 : atoi(argv[2]);
    set = semget(IPC_PRIVATE, many, 0600);
    for (int i = 0; i < many; i++) semctl(set, i, SETVAL, 1);
    for (int i = 0; i < many; i++)
        if (fork() == 0) {
            if (at_once) together(i, (i + 1) % many);
            else one_by_one(i, (i + 1) % many);
            _exit(0);
        }
    for (int i = 0; i < many; i++) wait(NULL);
    semctl(set, 0, IPC_RMID);
    puts("done");
    return 0;
}
