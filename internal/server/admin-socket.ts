import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { BrokerParts } from '../admin/operation.ts';
import { adminSocketPath, shortSocketPath } from '../admin/socket-path.ts';
import type { Logger } from '../broker/broker.ts';
import { makeDirectory } from '../store/make-directory.ts';
import { openSocketFile } from '../transport/listener.ts';
import { type BrokerOptions, storeFolderOf } from './options.ts';

/** Nobody but the owner. */
const SOCKET_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** An open socket for the owner's tools. */
export interface AdminSocket {
  close(): Promise<void>;
}

/**
 * Opens the socket by which the owner of the data folder administers the broker: HTTP with JSON. Where it cannot be opened,
 * that is logged, and the broker does without it.
 */
export async function openAdminSocket(
  options: BrokerOptions,
  parts: BrokerParts,
  logger: Logger,
): Promise<AdminSocket | undefined> {
  const folder = storeFolderOf(options);
  if (folder === undefined) {
    logger.debug({}, 'there is no folder for the socket of the tools: users come from -users FILE');
    return undefined;
  }
  const path = adminSocketPath(folder);
  try {
    makeDirectory(folder, FOLDER_MODE);
    return await open(path, parts, logger);
  } catch (error) {
    const fields = { event: 'admin-socket', path, error: (error as Error).message };
    logger.warn(fields, 'the socket for the tools is not open: they cannot reach this broker');
    return undefined;
  }
}

async function open(path: string, parts: BrokerParts, logger: Logger): Promise<AdminSocket> {
  const short = shortSocketPath(path);
  const tools = new ToolConnections(parts, logger);
  try {
    const server = await openSocketFile(short.path, SOCKET_MODE, () =>
      createServer((socket) => tools.take(socket)),
    );
    chmodSync(path, SOCKET_MODE);
    return {
      async close() {
        await tools.close();
        await new Promise((resolve) => server.close(resolve));
        try {
          if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
          short.close();
        } catch (error) {
          // The next broker puts its own there.
          const fields = { event: 'admin-socket', path, error: (error as Error).message };
          logger.warn(fields, 'the socket for the tools could not be removed');
        }
      },
    };
  } catch (error) {
    short.close();
    throw error;
  }
}

/** The server behind the socket is loaded with the first tool that comes: most brokers see none for days. */
class ToolConnections {
  readonly #parts: BrokerParts;
  readonly #logger: Logger;
  readonly #sockets = new Set<Socket>();
  #server: Promise<FastifyInstance> | undefined;

  constructor(parts: BrokerParts, logger: Logger) {
    this.#parts = parts;
    this.#logger = logger;
  }

  take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    this.#server ??= this.#load();
    this.#server.then(
      ({ server }) => server.emit('connection', socket),
      () => socket.destroy(),
    );
  }

  async close(): Promise<void> {
    await (await this.#server)?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #load(): Promise<FastifyInstance> {
    const { makeAdminServer } = await import('./admin-server.ts');
    return makeAdminServer(this.#parts, this.#logger);
  }
}
