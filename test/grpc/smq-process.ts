import { program, type Running, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

/** `smq` in a process of its own, which listens on a port that was free. */
export interface SmqProcess extends Running {
  port: number;
  url: string;
}

/** Starts `smq` from its source, with port 0 unless told. */
export async function startSmq(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<SmqProcess> {
  const running = start(program('smq'), ['-port', '0', ...args], options);
  let port = 0;
  let isOver = false;
  running.ended.then(() => {
    isOver = true;
  });
  await eventually(() => {
    if (isOver) throw new Error(`smq ended: ${running.stderr()}`);
    port = Number(/grpcs?:\/\/:(\d+)/.exec(running.stdout())?.[1] ?? 0);
    return port > 0;
  }, 'the line that says where smq listens');
  return { ...running, port, url: `grpc://localhost:${port}` };
}

/** Ends it as a user does, and waits. */
export async function stopSmq({ child, ended }: SmqProcess): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}
