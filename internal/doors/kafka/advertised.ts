import { shownAddress } from '../../lib/shown-address.ts';
import { parseEndpoint } from '../../transport/endpoint.ts';

/** The address that clients are told. @throws Error where that is no `host:port` */
export function advertisedAddress(address: string): { host: string; port: number } {
  const endpoint = parseEndpoint(`tcp://${address}`);
  if (endpoint.scheme === 'unix' || endpoint.host === '' || endpoint.port === 0) {
    throw new Error(`'${shownAddress(address)}' is not a host:port that clients could dial`);
  }
  return { host: endpoint.host, port: endpoint.port };
}
