/** Limits of users and rules, each with its unit in its name and the reason for its value. */

/** A list that no person reads any more; what is asked for the first time costs at most some milliseconds with it. */
export const maxRules = 100_000;

/** Of a user, a group or a pattern that is no topic. Names of directories and certificates are shorter. */
export const maxRuleNameCharacters = 1_024;
