/* first PATH [exclusive]: two processes look whether a file is there, and make it: who was first? */
#include "shared.h"

int main(int argc, char **argv) {
    int exclusive = argc > 2, other = fork();
    if (exclusive) {
        if (open(argv[1], O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0) write(1, "first\n", 6);
    } else if (open(argv[1], O_RDONLY) < 0) {
        open(argv[1], O_CREAT | O_WRONLY, 0600);
        write(1, "first\n", 6);
    }
    if (other == 0) _exit(0);
    wait(NULL);
    unlink(argv[1]);
    return 0;
}
