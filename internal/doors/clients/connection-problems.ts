import type { ErrorCode } from '../../errors.ts';
import type { Fates } from '../../observe/fates.ts';
import type { ListenerEvents, ProblemPhase } from '../../transport/listener-options.ts';

/** Counts and logs the connections that failed before they were open. */
export function connectionProblems(fates: Fates): ListenerEvents['problem'] {
  return (error, remote, during) => {
    const { code = '', reason: opensslReason } = error as NodeJS.ErrnoException & { reason?: string };
    // The message of an error of OpenSSL is a line of its source code; its reason is for people.
    const reason = REASONS[code] ?? opensslReason ?? error.message.trim();
    fates.tell({
      outcome: 'unopened',
      code: codeOf(code, during),
      who: { remote },
      reason,
      line: 'a connection could not be opened',
    });
  };
}

function codeOf(code: string, during: ProblemPhase): ErrorCode {
  if (during === 'handshake') return 'tls-handshake-failed';
  return code.startsWith('HPE_') ? 'malformed-http-request' : 'connection-lost';
}

const EXPIRED = 'the client says that the certificate of the broker has expired; replace its file';

/** What OpenSSL says of the commonest mistakes, in words for whoever has to mend them. */
const REASONS: Record<string, string | undefined> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'the client does not speak TLS, which this listener asks for',
  ERR_SSL_HTTP_REQUEST: 'the client speaks HTTP without TLS, which this listener asks for',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the client does not trust the certificate of the broker; give it the CA',
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED': EXPIRED,
  // As versions of OpenSSL before 3.2 call it.
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: EXPIRED,
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'the client shows no certificate, which -tls-ca asks for',
};
