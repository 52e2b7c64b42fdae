import { maxUserNameBytes } from '../../../limits/access.ts';
import { SaslError } from './exchange.ts';

/** A saslname of RFC 5802: `=2C` stands for a comma and `=3D` for the sign itself; no other use of the sign is allowed. */
export function nameOf(saslName: string): string {
  if (Buffer.byteLength(saslName) > 3 * maxUserNameBytes) throw new SaslError('a name is too long');
  if (/=(?!2C|3D)|\0/.test(saslName)) throw new SaslError('a name has = for something else than =2C and =3D');
  return saslName.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

/** Nobody acts for another user. */
export function checkAuthorizationId(authorizationId: string, user: string): void {
  if (authorizationId !== '' && authorizationId !== user) {
    throw new SaslError('its authorization id is not its user');
  }
}
