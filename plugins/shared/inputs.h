/* inputs: what a test asks a model: inputs of its configuration, rows of a dataset, or zeros in the
 * shape that the model describes. And what an answer that is none means for the verdict.
 * Plugin code, shared by compiling it in. */
#ifndef PADDOCK_PLUGINS_INPUTS_H
#define PADDOCK_PLUGINS_INPUTS_H

#include "tensor_value.h"

/* Rows for the table of fields of a test. */
#define INPUT_FIELDS                                                                          \
    {"inputs",                                                                                \
     PADDOCK_FIELD_ARRAY,                                                                     \
     0,                                                                                       \
     1,                                                                                       \
     64,                                                                                      \
     NULL,                                                                                    \
     NULL,                                                                                    \
     TENSOR_FIELD,                                                                            \
     "What to ask; left out: rows of the dataset, or else zeros in the shape that the model " \
     "describes."},                                                                           \
        {"dataset",                                                                           \
         PADDOCK_FIELD_DATASET,                                                               \
         0,                                                                                   \
         0,                                                                                   \
         0,                                                                                   \
         NULL,                                                                                \
         NULL,                                                                                \
         NULL,                                                                                \
         "The dataset to take rows from; left out: the test case's first."},                  \
    {                                                                                         \
        "rows", PADDOCK_FIELD_INTEGER, 0, 1, 100000, "1", NULL, NULL,                         \
            "Rows of the dataset in one question."                                            \
    }

struct inputs {
    struct tensors fixed;        /* of the configuration, or zeros; no items: rows of `data` */
    const paddock_dataset *data; /* NULL: none */
    size_t rows;
};

/* Make it ready. False after paddock_error(). [main] */
bool inputs_open(struct inputs *in, paddock_test *t);
/* The inputs of question number `turn`, in the way of paddock_rows(): the dataset is gone through
 * again and again. Returns their number, 0 if they cannot be made. [any] */
size_t inputs_get(const struct inputs *in, paddock_model *m, uint64_t turn,
                  const paddock_tensor **out);
void inputs_close(struct inputs *in);

/* "unavailable" and so on. */
const char *error_name(uint32_t error);

/* Did the model answer? Records the check `name` if it is the model's fault that it did not, and an
 * error of the run if the model could not be asked: nobody there, a wrong description, a cancelled
 * run. `what` begins the message. [any] */
bool answer_judged(paddock_test *t, const paddock_answer *a, const char *name, const char *what);

/* The number of the first element that is not finite among all numeric outputs, or -1; `*output`
 * names its output. */
int64_t answer_not_finite(const paddock_host *h, const paddock_answer *a, const char **output);

#endif
