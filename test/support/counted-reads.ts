import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** Counts what this process reads at once from files whose names end in something. */
export class CountedReads implements Disposable {
  bytes = 0;
  readonly #openSync = fs.openSync;
  readonly #readSync = fs.readSync;

  constructor(suffix: string) {
    const fds = new Set<number>();
    fs.openSync = (path, ...rest) => {
      const fd = this.#openSync(path, ...rest);
      if (String(path).endsWith(suffix)) fds.add(fd);
      else fds.delete(fd);
      return fd;
    };
    fs.readSync = ((fd: number, ...rest: [NodeJS.ArrayBufferView, number, number, number]) => {
      const count = this.#readSync(fd, ...rest);
      if (fds.has(fd)) this.bytes += count;
      return count;
    }) as typeof fs.readSync;
    syncBuiltinESMExports();
  }

  [Symbol.dispose](): void {
    fs.openSync = this.#openSync;
    fs.readSync = this.#readSync;
    syncBuiltinESMExports();
  }
}
