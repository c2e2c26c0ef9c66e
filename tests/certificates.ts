/**
 * Certificates for tests of TLS: an authority of their own, and what it vouches for. All of it is
 * made by openssl when a test begins, so that none of it is in the repository or ever runs out.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Quicker to make than RSA's. */
const new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] as const;

/** A certificate's files, and their texts. */
export interface Certified {
  readonly certificate_path: string;
  /** PKCS #8, without a password. */
  readonly key_path: string;
  readonly certificate: string;
  readonly key: string;
}

/** An authority in a folder; `certify` makes certificates that it vouches for. */
export function createAuthority(folder: string) {
  mkdirSync(folder, { recursive: true });
  const authority_path = join(folder, "authority.pem");
  const authority_key = join(folder, "authority.key");
  openssl(
    ["req", "-x509", ...new_key, "-days", "2", "-subj", "/CN=test authority"],
    ["-keyout", authority_key, "-out", authority_path],
    ["-addext", "keyUsage=critical,keyCertSign"],
  );
  function certify(name: string): Certified {
    const paths = {
      certificate_path: join(folder, `${name}.pem`),
      key_path: join(folder, `${name}.key`),
    };
    const request = join(folder, `${name}.csr`);
    const extensions = join(folder, `${name}.ext`);
    writeFileSync(extensions, "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    openssl(
      ["req", ...new_key, "-subj", `/CN=${name}`],
      ["-keyout", paths.key_path, "-out", request],
    );
    openssl(
      ["x509", "-req", "-in", request, "-days", "2", "-extfile", extensions],
      ["-CA", authority_path, "-CAkey", authority_key, "-CAcreateserial"],
      ["-out", paths.certificate_path],
    );
    return {
      ...paths,
      certificate: readFileSync(paths.certificate_path, "utf8"),
      key: readFileSync(paths.key_path, "utf8"),
    };
  }
  return { authority_path, authority: readFileSync(authority_path, "utf8"), certify };
}

function openssl(...args: readonly (readonly string[])[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args.flat()]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}
