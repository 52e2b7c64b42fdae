import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MiB = 1024 * 1024;

/** A file system of its own that is soon full. */
export interface SmallDisk extends Disposable {
  /** A folder on it for a broker's data. */
  readonly dataDir: string;
  /** Makes room: most of what is taken goes away. */
  free(): void;
}

/** Mounts a disk of which half is taken; undefined where nothing may be mounted. */
export function mountSmallDisk(sizeMiB = 24): SmallDisk | undefined {
  const mount = mkdtempSync(join(tmpdir(), 'tinymq-disk-'));
  const dispose = () => rmSync(mount, { recursive: true, force: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'none', mount]).status !== 0) {
    dispose();
    return undefined;
  }
  const ballast = join(mount, 'ballast');
  writeFileSync(ballast, Buffer.alloc((sizeMiB / 2) * MiB));
  return {
    dataDir: join(mount, 'data'),
    free: () => rmSync(ballast),
    [Symbol.dispose]() {
      spawnSync('umount', [mount]);
      dispose();
    },
  };
}

/** Whether {@link mountSmallDisk} works here. */
export function canMountSmallDisk(): boolean {
  using disk = mountSmallDisk();
  return disk !== undefined;
}
