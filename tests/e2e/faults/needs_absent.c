// A library for CUDA that wants another one, which is not installed.
int raven_absent(void);
int raven_needs_absent(void) { return raven_absent(); }
