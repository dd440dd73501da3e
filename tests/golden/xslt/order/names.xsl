<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:o="urn:o" exclude-result-prefixes="o">
  <xsl:template name="line"><Zeile menge="{o:Quantity}"/></xsl:template>
</xsl:stylesheet>
