/** Limits and defaults of the whole server, each with its unit in its name and the reason for its value. */

/** How long a stop waits for what was accepted to be delivered. */
export const shutdownTimeoutMs = 10_000;
