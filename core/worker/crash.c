#include "worker/crash.h"

#include "base/sanitizer.h"
#include "worker/report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static const struct loaded *watched;

static uintptr_t program_counter(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

#if BUILT_WITH_ASAN
/* In such builds, too, a crash is a signal that the first stage sees. What the second stage leaks
 * is the plugin's own affair. */
const char *__asan_default_options(void); /* NOLINT: the sanitizer's name */
const char *__asan_default_options(void)
{
    return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:"
           "abort_on_error=1:allocator_may_return_null=1:detect_leaks=0:use_sigaltstack=0";
}
#elif BUILT_WITH_TSAN
const char *__tsan_default_options(void); /* NOLINT: the sanitizer's name */
const char *__tsan_default_options(void)
{
    return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:"
           "use_sigaltstack=0";
}
#endif

/* snprintf is not promised to be safe here, but with these formats glibc's neither locks nor
 * allocates; and the process is lost anyway: at worst this line is. */
static void tell(int number, siginfo_t *info, void *context)
{
    char where[160];
    uintptr_t pc = program_counter(context);
    int n = 0;
    where[0] = '\0';
    if (number == SIGSEGV || number == SIGBUS)
        n = snprintf(where, sizeof where, "address 0x%llx, ",
                     (unsigned long long)(uintptr_t)info->si_addr);
    if (n >= 0 && pc >= watched->begin && pc < watched->end)
        snprintf(where + n, sizeof where - (size_t)n, "in the plugin at offset 0x%llx",
                 (unsigned long long)(pc - watched->begin));
    else if (n >= 0)
        snprintf(where + n, sizeof where - (size_t)n, "outside the plugin's own code");
    report_crash(number, where);
    /* SA_RESETHAND has put the default back: it ends the process now. */
    raise(number);
}

void crash_watch(const struct loaded *plugin)
{
    static char stack[64 << 10];
    watched = plugin;
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = tell,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    if (sigaltstack(&alternative, NULL) != 0)
        return;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)sigaction(signals[i], &action, NULL);
}
