import { array, defineApi, int16, string } from '../schema.ts';

/** Chooses how the client will prove who it is. From version 1 on its tokens are carried by SaslAuthenticate. */
export const saslHandshake = defineApi({
  key: 17,
  name: 'SaslHandshake',
  validVersions: '0-1',
  request: { mechanism: string() },
  response: { errorCode: int16(), mechanisms: array(string()) },
});
