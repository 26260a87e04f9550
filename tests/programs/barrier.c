/* barrier: threads that meet three times, and say so each time. */
#include "shared.h"
#include <pthread.h>

static pthread_barrier_t all;

static void *thread(void *name) {
    for (int i = 0; i < 3; i++) {
        pthread_barrier_wait(&all);
        write(1, name, 1);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    pthread_barrier_init(&all, NULL, 4);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, thread, &"abcd"[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}
