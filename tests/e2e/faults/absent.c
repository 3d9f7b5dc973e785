// Linked against, never installed.
int raven_absent(void) { return 0; }
