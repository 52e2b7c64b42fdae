/** Limits of users and rules, each with its unit in its name and the reason for its value. */

/** A list that no person reads any more; what is asked for the first time costs at most some milliseconds with it. */
export const maxRules = 100_000;

/** Of a user, a group or a pattern that is no topic. Names of directories and certificates are shorter. */
export const maxRuleNameCharacters = 1_024;

/** Users of one broker: so many are read in some seconds at the start, and take some 100 MB of memory. */
export const maxUsers = 100_000;
/** Bytes of a declarative file of users: 100,000 of them fit. */
export const maxUsersFileBytes = 64 * 1_024 * 1_024;
/** A larger one is read in a thread of its own: YAML of so many bytes takes some 10 ms. */
export const usersFileInThreadBytes = 16 * 1_024;
/** Problems of such a file that are shown: who has to mend more begins with these. */
export const maxUsersFileProblems = 20;
/** How often it is looked at: a change holds within a second, also where it takes two looks until nobody writes any more. */
export const usersFileWatchMs = 250;
/** Bytes of one request over the socket of the tools: an import of so many users. */
export const maxAdminRequestBytes = 64 * 1_024 * 1_024;
/** How long a tool waits for the broker: an import of very many users is written first. */
export const adminTimeoutMs = 60_000;
/** Groups of one user: more are a mistake. */
export const maxGroupsOfUser = 1_000;
/** Bytes of a user's or group's name: a distinguished name of a certificate fits, a screen of log shows it. */
export const maxUserNameBytes = 512;
/** Bytes of a password; longer ones are refused before anything is hashed. */
export const maxPasswordBytes = 1_024;
/** Bytes of a token: those of large directories carry hundreds of groups. */
export const maxTokenBytes = 32 * 1_024;
/** Bytes of one message of an exchange: a token and what stands around it. */
export const maxSaslMessageBytes = maxTokenBytes + 1_024;
/** Characters of a nonce that a client chooses; clients send 20 to 40. */
export const maxClientNonceCharacters = 256;

/** Cost of scrypt: 16 MiB and some 40 ms of one core for each password. */
export const scryptCost = 16_384;
export const scryptBlockSize = 8;
export const scryptParallelization = 1;
/** Bytes of memory that a stored hash may ask for: a file that somebody edited must not take the machine's. */
export const maxHashMemoryBytes = 128 * 1_024 * 1_024;
/** Iterations of PBKDF2 that a stored hash may ask for, for the same reason: some seconds. */
export const maxHashIterations = 5_000_000;
/** Iterations of keys for SCRAM that the broker makes: the most that Kafka's tools take. */
export const scramIterations = 16_384;
/** Fewer are refused by Kafka's clients, and by RFC 7677. */
export const minScramIterations = 4_096;
/** Clients do this work at each login; more only makes them slow. */
export const maxScramIterations = 1_000_000;
/** Bytes of salt that the broker makes for hashes and keys. */
export const saltBytes = 16;

/** Passwords that are hashed at once, if the machine has the cores: the event loop and the store need theirs. */
export const maxHashesAtOnce = 2;
/** Passwords that wait to be hashed: some four seconds of work for one core. Beyond that a client is told to try again. */
export const maxWaitingHashes = 100;
/** How long a password waits for that at most: less than clients do, and than -connect-timeout. */
export const maxHashWaitMs = 4_000;
/** How long after its last login a password that was right need not be hashed again. */
export const rememberPasswordMs = 600_000;
/** Passwords that are remembered so, a MAC of 32 bytes each. */
export const maxRememberedPasswords = 20_000;

/** Keys of one set: providers publish two to ten. */
export const maxTokenKeys = 100;
/** Bytes of a set of keys that a provider answers with. */
export const maxKeySetBytes = 1_024 * 1_024;
/** How long a provider of keys may take to answer; logins with a new key wait for it. */
export const keySetTimeoutMs = 5_000;
/** After so long keys are fetched again in the background, so that a key that was withdrawn counts no more. */
export const keySetMaxAgeMs = 600_000;
/** A token with an unknown key has them fetched at most so often: anybody can make one up. */
export const keySetCooldownMs = 30_000;
/** Groups of one token; those of large directories have hundreds. */
export const maxTokenGroups = 1_000;
/** How far the clocks of the broker and of who signs tokens may differ. */
export const tokenClockToleranceMs = 30_000;
/** How often files of keys, certificates and passwords are looked at, if nobody says otherwise. */
export const accessFilesWatchMs = 1_000;

/**
 * How many comparisons the answer to one subscription may take, some 10 ms. Rules that people write take hundreds; only
 * many wildcards in the middle of many rules can take more, and what is not looked at is refused.
 */
export const maxCoverageSteps = 500_000;

/** Of a name that a glob is tried on. Globs with several stars take long for long names, which clients choose. */
export const maxGlobbedNameCharacters = 255;

/** Levels of a filter that rules are compared with; the broker refuses deeper filters anyway. */
export const maxCoverageLevels = 1_000;

/** Stars in a glob: with each the longest name takes a hundred times as long. */
export const maxGlobStars = 3;

/** Limits of one broker: each that might be meant is looked at when somebody connects. */
export const maxLimits = 10_000;
/** Of a limit: a petabyte a second is no limit any more, and sums of such numbers are still exact. */
export const maxLimitValue = 1e15;
/** Those who wait for their turn under a limit of a rate are served so often: fewer timers, and no rest that is felt. */
export const rateTurnsPerSecond = 20;
/** How long a client that connects too often waits for its turn; one that would wait longer is refused. */
export const connectWaitMs = 5_000;
/** Users, groups and clients whose use of limits is remembered, before those who use none now are forgotten. */
export const limitedScopesRemembered = 10_000;

/** Logins of one address and user that may fail before the next one waits: people mistype. */
export const freeFailedLogins = 3;
/** The first wait after that; each further failure doubles it. */
export const failedLoginDelayMs = 250;
/** The longest: a few hundred guesses in an hour. */
export const failedLoginMaxDelayMs = 15_000;
/** Logins that wait at once for one address and user; more are refused, so that waiting costs no memory. */
export const waitingLoginsOfOne = 8;
/** A login that failed is forgotten after this. */
export const failedLoginsForgottenMs = 600_000;
/** Addresses and users of whom failed logins are remembered, and clients of whom connections are, some megabytes. */
export const rememberedClients = 20_000;
/** Connections of one client id from one address in a row that are not slowed: a program that starts opens many. */
export const freeReconnects = 100;
/** After that so many are let in a second. */
export const reconnectsPerSecond = 10;
