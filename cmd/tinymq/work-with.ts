interface Closable {
  /** @param reason what those who wait for an answer are told. */
  close(reason?: unknown): void;
}

/** Does the work and closes the client, which a signal does too, in the middle of the work. */
export async function workWith<C extends Closable, T>(
  client: C,
  stop: AbortSignal,
  work: (client: C) => Promise<T>,
): Promise<T> {
  const end = () => client.close(stop.reason);
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  try {
    return await work(client);
  } finally {
    stop.removeEventListener('abort', end);
    client.close();
  }
}
