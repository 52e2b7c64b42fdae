import type { Identity } from '../../access/identity.ts';
import { messageBytes } from '../delivery/message-bytes.ts';
import type { Message } from '../delivery/publication.ts';

/** A bound on what somebody may have retained: the bytes of one client, or those of all clients of its user. */
export interface RetainedBound {
  readonly most: number;
  readonly isOfClient: boolean;
}

/** The bytes of retained messages by whose they are: a user's, and each client's. */
export class RetainedAccounts {
  readonly #byClient = new Map<string, number>();
  readonly #byUser = new Map<string, number>();

  add(message: Message): void {
    this.#change(message, messageBytes(message));
  }

  remove(message: Message): void {
    this.#change(message, -messageBytes(message));
  }

  /**
   * The bound that a message would go over in the place of another; undefined where it may be retained. One that takes no more
   * than what it replaces may always: a limit that was lowered must not keep old values.
   */
  exceeded(
    message: Message,
    before: Message | undefined,
    { user }: Pick<Identity, 'user'>,
    bounds: readonly RetainedBound[],
  ): RetainedBound | undefined {
    const { clientId } = message;
    return bounds.find(({ most, isOfClient }) => {
      const isByClient = isOfClient || user === undefined;
      const used = (isByClient ? this.#byClient.get(clientId) : this.#byUser.get(user)) ?? 0;
      const isOwn = isByClient ? before?.clientId === clientId : before?.user === user;
      const more = messageBytes(message) - (before !== undefined && isOwn ? messageBytes(before) : 0);
      return more > 0 && used + more > most;
    });
  }

  #change({ clientId, user }: Message, bytes: number): void {
    changeOf(this.#byClient, clientId, bytes);
    if (user !== undefined) changeOf(this.#byUser, user, bytes);
  }
}

function changeOf(accounts: Map<string, number>, name: string, bytes: number): void {
  const used = (accounts.get(name) ?? 0) + bytes;
  if (used === 0) accounts.delete(name);
  else accounts.set(name, used);
}
