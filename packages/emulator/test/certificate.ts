/** A key and a certificate for 127.0.0.1 and localhost that nobody trusts who is not told to. Both are public: they protect nothing. */
export const untrusted: { readonly key: string; readonly cert: string } = {
	key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzL5DeO864h7FCWRK
QhgfI1hhOQlK0XSv+SOmPEh8jiChRANCAATesDUfFiznev4XLnBqezeuqucGQouh
mtPl8/KGsYuDKj4q+8Ve/8T4CUP/7v1jhXOIr0h7RfPgCIXXdE+C05ZI
-----END PRIVATE KEY-----
`,
	cert: `-----BEGIN CERTIFICATE-----
MIIBhDCCASmgAwIBAgIBATAKBggqhkjOPQQDAjAiMSAwHgYDVQQDDBd0ZXN0IHNl
cnZlciBvbiBsb29wYmFjazAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAw
MFowIjEgMB4GA1UEAwwXdGVzdCBzZXJ2ZXIgb24gbG9vcGJhY2swWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAATesDUfFiznev4XLnBqezeuqucGQouhmtPl8/KGsYuD
Kj4q+8Ve/8T4CUP/7v1jhXOIr0h7RfPgCIXXdE+C05ZIo04wTDAPBgNVHRMBAf8E
BTADAQH/MBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9zdDAdBgNVHQ4EFgQUjo+M
dnyR7aOjZLmOZv6J8uT7fGIwCgYIKoZIzj0EAwIDSQAwRgIhAL8L3zFZxmMOpx2A
aMIvGnunBG68iIY7FDNMLFw8FBBvAiEAwn60JwXLYCPLy18I88Zp7aiDtJuXIg3z
A7bbaqTTdL8=
-----END CERTIFICATE-----
`,
}
