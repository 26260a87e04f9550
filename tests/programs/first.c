/* first PATH [exclusive | asks | stats]: two processes look whether a file is there, and make it: who was
   first? */
#include <sys/stat.h>
#include "shared.h"

static int is_there(const char *path, char how) {
    struct stat about;
    return (how == 'a' ? access(path, F_OK) : how == 's' ? stat(path, &about) : open(path, O_RDONLY)) >= 0;
}

int main(int argc, char **argv) {
    char how = argc > 2 ? argv[2][0] : 'o';
    int other = fork();
    if (how == 'e') {
        if (open(argv[1], O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0) write(1, "first\n", 6);
    } else if (!is_there(argv[1], how)) {
        open(argv[1], O_CREAT | O_WRONLY, 0600);
        write(1, "first\n", 6);
    }
    if (other == 0) _exit(0);
    wait(NULL);
    unlink(argv[1]);
    return 0;
}
