import { shownAddress } from '../../internal/lib/shown-address.ts';
import { formatCredentials } from '../../internal/protocol/frame/credentials.ts';
import { formatExtensions } from '../../internal/protocol/frame/extensions.ts';
import { urlOf } from './address.ts';
import { credentialsOf } from './credentials.ts';
import { ConnectError, TimeoutError } from './errors.ts';
import type { Settings } from './options.ts';
import { timerMs, unlessAborted } from './timing.ts';
import type { Platform, Wire } from './wire.ts';

/** A WebSocket message is the largest frame, or many small ones that the broker sends at once. */
const CHUNK_SLACK_BYTES = 64 * 1024 * 1024;
/** An open stream, and the payload of the CONNECT to send over it. */
export interface Dialed {
  wire: Wire;
  offer: string;
}

/**
 * Gets ready to connect: asks for the credentials, then opens a stream. A stream that is handed out belongs to the
 * caller, who has to close it, also when the signal is aborted afterwards.
 *
 * @param offered what the client can agree on.
 * @throws ConnectError, or the reason of the signal.
 */
export async function dial(
  settings: Settings,
  offered: string,
  platform: Platform,
  signal: AbortSignal,
): Promise<Dialed> {
  const offer = await makeOffer(settings, offered, signal);
  const { address, tls, maxMessageBytes } = settings;
  try {
    const wire = await platform.open(address, tls, signal, maxMessageBytes + CHUNK_SLACK_BYTES);
    return { wire, offer };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new ConnectError(urlOf(address), (error as Error).message, error);
  }
}

/**
 * Runs one attempt to connect.
 *
 * @param cancel ends it early; its reason is then the reason of the signal that `attempt` gets.
 * @throws TimeoutError where it takes longer than `connectTimeoutMs`, and what `attempt` throws.
 */
export async function inTime(
  { address, connectTimeoutMs }: Settings,
  cancel: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const onCancel = () => abort.abort(cancel.reason);
  cancel.addEventListener('abort', onCancel, { once: true });
  if (cancel.aborted) onCancel();
  const timer = setTimeout(() => {
    const what = `${shownAddress(urlOf(address))} did not let the client in`;
    abort.abort(new TimeoutError(what, connectTimeoutMs));
  }, timerMs(connectTimeoutMs));
  try {
    await attempt(abort.signal);
  } finally {
    clearTimeout(timer);
    cancel.removeEventListener('abort', onCancel);
  }
}

/** What the client offers and shows of itself on a new connection. */
async function makeOffer(
  { address, credentials }: Settings,
  offered: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    const shown = await unlessAborted(credentialsOf(credentials), signal);
    if (shown === undefined) return offered;
    return `${offered} ${formatExtensions(['credentials'])} ${formatCredentials(shown)}`;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const why = `there are no credentials to show: ${(error as Error).message}`;
    throw new ConnectError(urlOf(address), why, error);
  }
}
