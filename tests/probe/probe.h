/* The payload of jail tests: says what it sees and what it is refused, one key=value a line. A command fails
 * (exit 1) only when it cannot ask; a refusal is an answer: errno=EPERM. */
#ifndef PROBE_H
#define PROBE_H

struct command {
    const char* name;
    const char* usage;
    int (*run)(int argc, char** argv); /* argv[0] is the command's name */
};

/* Commands that make system calls or processes: probe_calls.c. Ends with a null name. */
extern const struct command call_commands[];
/* Those that attack what is outside of a jail: probe_attack.c. */
extern const struct command attack_commands[];

/* Prints key=ok, or key=ENOENT and so on, for 0 or an errno. */
void say_result(const char* key, int error);
const char* error_name(int error);
/* A whole number in decimal, octal or hexadecimal; exits 2 where it is none. */
long long number(const char* text);
/* Exits 2 where a command has not at least `count` arguments. */
void need_arguments(int argc, int count);

#endif
