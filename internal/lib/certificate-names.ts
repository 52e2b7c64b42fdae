/** The names in a certificate, as they stand there. */
export interface CertificateNames {
  /** The subject as RFC 2253 writes it, the last part first, as Java and Kafka show it. */
  readonly subject: string;
  /** All common names of the subject: more than one, and nobody knows which is meant. */
  readonly commonNames: readonly string[];
  /** The alternative names of the subject, by their kind. */
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  /** Why its names cannot be trusted to be what they look like; undefined where they can. */
  readonly problem: string | undefined;
}
