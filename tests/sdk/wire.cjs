// Stands for the machine's DNS and the TLS in front of the sandbox: connections to port 443 go to SANDBOX_TLS_PORT.
// The library under test speaks TLS whatever its base URL says, and takes no port in it.
const https = require('https')

const connect = https.Agent.prototype.createConnection
https.Agent.prototype.createConnection = function (options, ...rest) {
  const servername = options.servername || options.host
  return connect.call(this, { ...options, host: '127.0.0.1', port: process.env.SANDBOX_TLS_PORT, servername }, ...rest)
}
