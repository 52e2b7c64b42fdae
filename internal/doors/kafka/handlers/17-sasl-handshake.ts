import { saslHandshake } from '../../../protocol/kafka/apis/17-sasl-handshake.ts';
import { defineHandler } from '../handler.ts';

/** Chooses how the client logs in. Before version 1 its tokens come bare, without the header of a request. */
export const saslHandshakeHandler = defineHandler(
  saslHandshake,
  ({ mechanism }, { client, clientId, version }) =>
    client.authentication.handshake(mechanism, clientId, version < FIRST_VERSION_WITH_AUTHENTICATE),
  { needs: [], isBeforeAuthentication: true },
);

const FIRST_VERSION_WITH_AUTHENTICATE = 1;
