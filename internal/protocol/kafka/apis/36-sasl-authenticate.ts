import { bytes, defineApi, int16, int64, string } from '../schema.ts';

/** Carries one token of SASL to the broker, and one back. */
export const saslAuthenticate = defineApi({
  key: 36,
  name: 'SaslAuthenticate',
  validVersions: '0-2',
  flexibleFrom: 2,
  request: { authBytes: bytes() },
  response: {
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ versions: '1+' }),
  },
});
