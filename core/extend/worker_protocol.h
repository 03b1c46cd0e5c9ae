/* worker_protocol: what the two stages of paddock-worker and the host say to each other.
 * Room: extend. Threads: constants only.
 *
 * Lines of JSON on descriptor 3, `{"nonce":"<32 hex digits>","<kind>":{...}}`. Two hops: the second
 * stage, which holds the plugin, writes to the first, which knows that hop's nonce, checks the
 * head of each line byte for byte, puts the host's nonce in its place and passes it on. The host's
 * pipe is open in the first stage only. So what a plugin writes to descriptor 3 by accident or by a
 * clumsy lie is counted as foreign, and the line "stage", by which the first stage tells how the
 * second ended, cannot come from the second.
 *
 * Kinds from the second stage:
 *   loaded   {"id","version"}           the plugin could be loaded
 *   run      {}                         run() is called now: the deadline starts
 *   check    {"name","ok","level","detail"}
 *   measure  {"name","value",...}       as struct worker_measurement
 *   skip     {"message"}
 *   error    {"message"}                the test, or something before it, could not be done
 *   fault    {"message"}                the plugin used the host wrongly
 *   crash    {"signal","where"}         a signal that ends the stage; the first that came
 *   end      {"checks","duration_ns"}   run() returned; nothing may follow
 * From the first stage, once, last:
 *   stage    {"end","code","signal","foreign","left_behind","cpu_ns","max_rss","detail"} */
#ifndef PADDOCK_EXTEND_WORKER_PROTOCOL_H
#define PADDOCK_EXTEND_WORKER_PROTOCOL_H

#define NONCE_LEN      32
#define NONCE_HEAD     "{\"nonce\":\""
#define NONCE_AT       10 /* bytes before the nonce */
#define KIND_AT        45 /* bytes before the kind's name */
#define REPORT_FD      3
#define REPORT_LINE    (2u << 20)  /* bytes of one line */
#define REPORT_TOTAL   (64u << 20) /* bytes of a run */
#define REPORT_CHECKS  1000        /* listed; more are counted */
#define REPORT_VALUES  200000      /* raw samples of a run, over all measurements */
#define REPORT_TEXT    2000        /* bytes of a message or detail */
#define REPORT_LOG     65536       /* newest bytes of the log */
#define WORKER_LOAD_MS 30000       /* to read the data and load the plugin */

/* "stage"."end" */
#define STAGE_EXIT    "exit"    /* code */
#define STAGE_SIGNAL  "signal"  /* signal */
#define STAGE_TIMEOUT "timeout" /* the deadline of run(), or of loading */
#define STAGE_LIMIT   "limit"   /* memory, processor time, disk or processes: detail */
#define STAGE_CANCEL  "cancel"
#define STAGE_ERROR   "error" /* the first stage could not do its work: detail */

#endif
