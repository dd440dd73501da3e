<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/"><a><xsl:copy-of select="document('/etc/hostname') | document('../site.yaml') | document('http://127.0.0.1:1/x')"/></a></xsl:template>
</xsl:stylesheet>
