/* Has no entry. */
int paddock_plugin_of_mine __attribute__((visibility("hidden"))) = 1;
