/** Where a server keeps its streams. */
export interface ServerFolder {
  folderOf(stream: string): string;
}

/** Something that is not as it was written, or could not be looked at. */
export interface CheckFinding {
  /** The server to do something about; undefined where it is no single one. */
  readonly server: string | undefined;
  readonly stream: string;
  /** By what they hold, how many messages are meant. */
  readonly kinds?: Readonly<Record<string, number>>;
  /** A sentence. */
  readonly problem: string;
  /** What to do. */
  readonly advice: string;
}

/** A replica of which a part is gone gets all of it from the others when it begins with none. */
export function wipeAdvice(
  server: string,
  stream: string,
  folders: ReadonlyMap<string, ServerFolder>,
): string {
  const folder = folders.get(server)?.folderOf(stream) ?? `streams/${stream} in its store_dir`;
  return `Stop the NATS server ${server}, delete ${folder}, and start it: it copies the stream from the others. Then check again, and look at its disk. Do this to one server at a time, while the others are whole.`;
}
