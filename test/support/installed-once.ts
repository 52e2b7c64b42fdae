import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './broker-process.ts';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/tinymq/', import.meta.url));
/** In the folder when everything in it is there. */
const COMPLETE = '.complete';
const LOCK_POLL_MS = 200;

const inThisProcess = new Map<string, Promise<string>>();

/**
 * The folder of something that tests need and that is not of npm, made by `install` if it is not there yet.
 * One process installs and others wait for it. Another `recipe` (say, the list of versions) is another folder.
 */
export function installedOnce(
  name: string,
  recipe: string,
  install: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(CACHE, `${name}-${createHash('sha256').update(recipe).digest('hex').slice(0, 12)}`);
  const known = inThisProcess.get(folder);
  if (known !== undefined) return known;
  const installed = installInto(folder, install);
  inThisProcess.set(folder, installed);
  return installed;
}

/** Runs a step of an installation. Throws what the program said if it fails. */
export async function mustRun(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd === undefined ? {} : { cwd });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

async function installInto(folder: string, install: (folder: string) => Promise<void>): Promise<string> {
  const isComplete = () => existsSync(join(folder, COMPLETE));
  const lock = `${folder}.lock`;
  mkdirSync(CACHE, { recursive: true });
  while (!isComplete()) {
    if (!tookLock(lock)) {
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
      continue;
    }
    try {
      // Another process may have finished between the look and the lock.
      if (isComplete()) break;
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      await install(folder);
      writeFileSync(join(folder, COMPLETE), '');
    } finally {
      rmSync(lock, { force: true });
    }
  }
  return folder;
}

/** Takes the lock, also from a process that died with it. */
function tookLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!isHeld(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function isHeld(lock: string): boolean {
  try {
    const holder = Number(readFileSync(lock, 'utf8'));
    // Whoever is between opening and writing has not said yet who it is.
    if (holder === 0) return true;
    process.kill(holder, 0);
    return true;
  } catch {
    return false;
  }
}
