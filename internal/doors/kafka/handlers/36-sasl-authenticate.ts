import { saslAuthenticate } from '../../../protocol/kafka/apis/36-sasl-authenticate.ts';
import { defineHandler } from '../handler.ts';

/** Takes a token of the login that a handshake began. */
export const saslAuthenticateHandler = defineHandler(
  saslAuthenticate,
  async ({ authBytes }, { client }) => {
    const { bytes, ...answer } = await client.authentication.take(authBytes);
    return { ...answer, authBytes: bytes };
  },
  { needs: [], isBeforeAuthentication: true },
);
