int numbers_version(void);
int numbers_extra(void);
