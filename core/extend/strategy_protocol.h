/* strategy_protocol: what the host and a strategy's process say to each other. Room: extend.
 * Threads: constants only.
 *
 * `paddock-worker --strategy FILE [USER]` lives as long as its standard input: lines of JSON there,
 * one answer on descriptor 3 for each, in the same order. The first line makes it ours:
 *
 *   {"nonce":"<32 hex digits>","sha256":...|null,"memory_bytes":N}
 *
 * and every answer begins with that nonce, as those of a test do (worker_protocol.h): what a plugin
 * prints to descriptor 3 by accident is no answer, and ends it. Further questions have an "op":
 *
 *   open  {"key":K,"route","seed":"<decimal>","now_ms","config":{...},"state":"<base64>"|null}
 *         makes an instance, K being free. Answer: "restored": load() took the state
 *   turn  {"key":K,"now_ms","outcomes":[[decision_id,model_id,name,value,propensity,at_ms]...],
 *         "candidates":[{...}...],"save":bool}
 *         update(), tick(), then weigh() if there are candidates, then save() if it is wanted.
 *         Answer: "weights":[[weight,score,{parts}]...] in the order of the candidates, all 0: no
 *         answer; "state":"<base64>", or null where it was not asked for or there is none
 *   close {"key":K}
 *
 * An answer is {"nonce":...,"answer":{"ok":true,...}} or {"ok":false,"error":"<sentence>"}: the
 * instance is as it was, or was not made. Numbers are doubles, exactly; what is unknown is null. */
#ifndef PADDOCK_EXTEND_STRATEGY_PROTOCOL_H
#define PADDOCK_EXTEND_STRATEGY_PROTOCOL_H

#include "extend/worker_protocol.h"

#define STRATEGY_QUESTION (8u << 20)   /* bytes of a line to the process */
#define STRATEGY_ANSWER   REPORT_LINE  /* bytes of a line from it */
#define STRATEGY_STATE    (1u << 20)   /* bytes of a saved state */
#define STRATEGY_MEMORY   (256u << 20) /* bytes of the process, unless told otherwise */
#define STRATEGY_KEYS     10000        /* instances of one process */
#define STRATEGY_OUTCOMES 5000         /* of one turn */
#define STRATEGY_LOAD_MS  10000        /* to load the plugin */

#endif
