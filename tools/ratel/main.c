/* The `ratel` command: reads the command line by the verbs' descriptors, runs one verb, says what
 * went wrong in one line and ends with its sysexits code. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ratel/command.h"
#include "store/sigbus.h"

/* Descriptors 0 to 2 that the caller closed would be given to the next file that is opened, and a
 * message would be written into it. They are opened the wrong way round, so that using them still
 * fails as it should. */
static void keep_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1)
            continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(71);
    }
}

int main(int argc, char **argv)
{
    keep_standard_files();
    sigbus_install("ratel");
    return command_run(verb_table, argc, argv, stdout, stderr);
}
