import type { Logger } from '../broker/broker.ts';
import { type Checks, isOpenToAll } from '../doors/open-to-all.ts';
import { endpointUrl } from '../transport/endpoint.ts';
import type { BrokerOptions, Place } from './options.ts';

/** A broker was asked to listen where everybody reaches it, and has no users. */
export class UnprotectedError extends Error {
  override readonly name = 'UnprotectedError';

  constructor(places: readonly Place[]) {
    const urls = places.map(({ endpoint }) => endpointUrl(endpoint));
    super(
      `${urls.join(' and ')} would be open to everybody who reaches this machine, because there are no users. Add users (tinymq users add NAME, or -users FILE), or let everybody do everything with -allow-anonymous (allowAnonymous: true in startBroker)`,
    );
  }
}

/**
 * The places that are not on this machine only, and where nobody checks who connects.
 *
 * @throws UnprotectedError where nobody said that this is meant.
 */
export async function exposedPlaces(
  places: readonly Place[],
  options: BrokerOptions,
  hasUsers: boolean,
): Promise<Place[]> {
  const checks = checksOf(options, hasUsers);
  const areOpen = await Promise.all(places.map(({ door, endpoint }) => isOpenToAll(door, endpoint, checks)));
  const exposed = places.filter((_, index) => areOpen[index]);
  if (exposed.length > 0 && options.allowAnonymous !== true) throw new UnprotectedError(exposed);
  return exposed;
}

function checksOf({ guard, policy, authenticator, tls }: BrokerOptions, hasUsers: boolean): Checks {
  const authenticates = authenticator !== undefined || policy !== undefined;
  return { guard, authenticates, hasUsers, asksForCertificates: tls?.caFile !== undefined };
}

/** Says at each start what is open, and how to close it. */
export function warnOfExposed(
  listeners: readonly { readonly door: Place['door']; readonly url: string }[],
  logger: Logger,
): void {
  for (const { door, url } of listeners) {
    const fields = { event: 'open-to-all', door: door.name, url, remedy: REMEDY };
    logger.warn(
      fields,
      'everybody who reaches this listener may read and write everything: nobody checks who it is',
    );
  }
}

const REMEDY = 'add users (tinymq users add NAME, or -users FILE), or listen on localhost';
