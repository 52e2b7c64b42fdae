import { text } from './option.ts';

const group = 'Connection';

/**
 * Who a program is for the broker. The variables are the same for all programs. A password is no flag of theirs, as everybody on
 * the machine sees the flags of all programs; `publisher` and `subscriber` alone take one, as others of their kind do.
 */
export const credentialOptions = {
  user: text({
    group,
    placeholder: 'NAME',
    variable: 'TINYMQ_USER',
    help: 'the user; the password comes from -password-file or TINYMQ_PASSWORD, or is asked for',
  }),
  'password-file': text({
    group,
    placeholder: 'FILE',
    variable: 'TINYMQ_PASSWORD_FILE',
    help: 'a file with the password in its first line',
  }),
  'token-file': text({
    group,
    placeholder: 'FILE',
    variable: 'TINYMQ_TOKEN_FILE',
    help: 'a file with a token in its first line, instead of a user; TINYMQ_TOKEN is one too',
  }),
};

/** What holds secrets themselves, and has no flag. */
export const SECRET_VARIABLES = ['TINYMQ_PASSWORD', 'TINYMQ_TOKEN'] as const;
